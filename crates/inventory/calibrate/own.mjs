// The kernels that are code of their own: no packages, so that they run in Node and, bundled, in a JavaScript component.

const a = 'kitten sitting '.repeat(12), b = 'sitting kitten '.repeat(12);
const text = 'The quick brown fox jumps over the lazy dog, 42 times a day. '.repeat(200);
const bytes = new TextEncoder().encode(text);
const lines = Array.from({ length: 200 }, (_, i) => `  Héllo, Wörld: item No. ${i} – a Title!  `);
export const order = { name: 'An order', email: 'someone@example.com', items: Array.from({ length: 100 }, (_, i) => ({ sku: `item-${i}`, qty: i % 9 + 1, price: i * 1.25, tags: ['a', 'b'] })) };
const json = JSON.stringify(order);
const table = Uint32Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; });

function levenshtein(a, b) {
  let before = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const row = [i + 1];
    for (let j = 0; j < b.length; j++) row.push(Math.min(row[j] + 1, before[j + 1] + 1, before[j] + (a[i] === b[j] ? 0 : 1)));
    before = row;
  }
  return before[b.length];
}

function matrix() {
  const N = 64, x = new Float64Array(N * N), y = new Float64Array(N * N), z = new Float64Array(N * N);
  for (let i = 0; i < N * N; i++) { x[i] = i % 17; y[i] = i % 13; }
  for (let i = 0; i < N; i++) for (let j = 0; j < N; j++) {
    let sum = 0;
    for (let k = 0; k < N; k++) sum += x[i * N + k] * y[k * N + j];
    z[i * N + j] = sum;
  }
  return z[N];
}

function crc32(bytes) {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}

export const own = {
  levenshtein: ['numeric', () => levenshtein(a, b)],
  matrix: ['numeric', matrix],
  crc32: ['bytes', () => crc32(bytes)],
  slugs: ['text', () => lines.map((line) => line.trim().toLowerCase().replace(/[^a-z0-9]+/g, '-')).join('').length],
  regex: ['regex', () => [...text.matchAll(/[a-z]+(?:ox|og|wn)\b|[0-9]+/g)].length],
  json: ['json', () => JSON.stringify(JSON.parse(json)).length],
};
