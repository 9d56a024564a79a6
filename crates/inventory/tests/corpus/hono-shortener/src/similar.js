/** Levenshtein distance as a part of the longer text. */
export function similar(a, b) {
  let before = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1;
      row[j] = Math.min(row[j - 1] + 1, before[j] + 1, before[j - 1] + cost);
    }
    before = row;
  }
  return 1 - before[b.length] / Math.max(a.length, b.length, 1);
}
