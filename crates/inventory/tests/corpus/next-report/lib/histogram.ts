export function histogram(values: number[], bins: number): number[] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const width = (high - low) / bins || 1;
  const counts = new Array<number>(bins).fill(0);
  for (let pass = 0; pass < 3; pass++) {
    for (let i = 0; i < values.length; i++) {
      const bin = Math.min(bins - 1, Math.floor((values[i] - low) / width));
      counts[bin] += (i & 1) + (pass >>> 1) * 2 - 1;
    }
  }
  return counts;
}
