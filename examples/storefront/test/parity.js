// Asks the components and the Node server the same questions and compares the answers: status, content type, body.
//
//   npm run parity -- http://127.0.0.1:8080                        the shop behind Coracle
//   npm run parity -- --price=http://... --describe=http://...     each component by itself
//
// The Node side is started here, on a free port. Exits with 1 if an answer differs.

import { isDeepStrictEqual } from 'node:util';
import { tables } from '../server/files.js';
import { start } from './start.js';

const { products, countries } = await tables();
const skus = products.map((product) => product.sku);

function* priceQuestions() {
  const places = Object.entries(countries).flatMap(([country, { regions }]) =>
    regions ? Object.keys(regions).map((region) => ({ country, region })) : [{ country }],
  );
  for (const place of places) {
    yield get('/api/price', place);
    for (const [i, sku] of skus.entries()) yield get(`/api/price/${sku}`, { ...place, qty: 1 + ((i * 7) % 23) });
    yield post({ ...place, items: skus.map((sku, i) => ({ sku, qty: 1 + (i % 11) })) });
    yield post({ ...place, code: 'harbour10', items: [{ sku: 'oilskin-jacket', qty: 1 }, { sku: 'guernsey', qty: 3 }] });
    yield post({ ...place, code: ' FirstCatch ', items: ['knot-book', 'watch-cap', 'deck-brush'].map((sku) => ({ sku, qty: 1 })) });
    yield post({ ...place, code: 'HARBOUR10', items: [{ sku: 'tide-almanac', qty: 1 }] });
  }
  // twice the same: the second answer comes from the cache
  for (let twice = 0; twice < 2; twice += 1) yield get('/api/price/rope-mat', { country: 'FI', qty: 3 });
}

function* refusedQuestions() {
  yield get('/api/price', {});
  yield get('/api/price/', { country: '' });
  yield get('/api/price', { country: 'XX' });
  yield get('/api/price', { country: 'constructor' });
  yield get('/api/price', { country: 'US' });
  yield get('/api/price', { country: 'US', region: 'ZZ' });
  yield get('/api/price', { country: 'DE', region: 'NY' });
  yield get('/api/price/nothing', { country: 'DE' });
  yield get('/api/price/nothing/at/all', { country: 'DE' });
  yield get('/api/price/r%C3%B6pe', { country: 'DE' });
  for (const qty of ['0', '-1', '1.5', '1000', '0x10', '', ' 1', '1e2', '007', '999']) {
    yield get('/api/price/rope-mat', { country: 'DE', qty });
  }
  yield { path: '/api/price/rope-mat?country=DE', method: 'DELETE' };
  yield { path: '/api/price', method: 'DELETE' };
  const item = { sku: 'rope-mat', qty: 1 };
  for (const body of ['', '{', '[]', 'null', '"text"', '{} {}', '{"country":1}', '\u0000', 'x'.repeat(64 * 1024 + 1)]) {
    yield { path: '/api/price', method: 'POST', body };
  }
  for (const items of [undefined, [], {}, [null], [{}], [{ sku: 'rope-mat' }], [{ sku: 7, qty: 1 }], Array(51).fill(item)]) {
    yield post({ country: 'DE', items });
  }
  for (const qty of [0, -1, 1.5, 2.0, '1', null, 1000, 1e300, 999]) yield post({ country: 'DE', items: [item, { ...item, qty }] });
  for (const code of ['nope', '', '  ', 5, null, 'toString']) yield post({ country: 'DE', code, items: [item] });
}

function* describeQuestions() {
  for (const sku of skus) yield { path: `/api/describe/${sku}`, method: 'GET' };
  yield { path: `/api/describe/${skus[0]}/`, method: 'GET' };
  yield { path: `/api/describe/${skus[0]}`, method: 'HEAD' };
  yield { path: `/api/describe/${skus[0]}`, method: 'POST', body: '{}' };
  for (const path of ['nothing', '', 'UPPER', 'a/b', '..%2f..%2fpricing', 'a'.repeat(65)]) {
    yield { path: `/api/describe/${path}`, method: 'GET' };
  }
}

function get(path, query) {
  return { path: `${path}?${new URLSearchParams(query)}`, method: 'GET' };
}

function post(body) {
  return { path: '/api/price', method: 'POST', body: JSON.stringify(body) };
}

async function ask(base, { path, method, body }) {
  const response = await fetch(base + path, { method, body });
  const type = response.headers.get('content-type')?.toLowerCase().replace(/\s/g, '');
  const text = await response.text();
  const json = type?.startsWith('application/json') && text;
  return { status: response.status, type, allow: response.headers.get('allow'), body: json ? JSON.parse(text) : text };
}

async function compare(name, base, node, questions) {
  let asked = 0;
  let different = 0;
  for (const question of questions) {
    const [component, express] = await Promise.all([ask(base, question), ask(node, question)]);
    asked += 1;
    if (isDeepStrictEqual(component, express)) continue;
    different += 1;
    if (different > 5) continue;
    console.error(`${name}: ${question.method} ${question.path} ${(question.body ?? '').slice(0, 200)}`);
    console.error(`  component ${JSON.stringify(component).slice(0, 600)}`);
    console.error(`  node      ${JSON.stringify(express).slice(0, 600)}`);
  }
  console.log(`${name}: ${asked} questions, ${different} different answers`);
  return different;
}

const options = Object.fromEntries(process.argv.slice(2).map((word) => (word.startsWith('--') ? word.slice(2).split('=') : ['url', word])));
const { price = options.url, describe = options.url } = options;
if (!price && !describe) {
  console.error('usage: npm run parity -- URL | --price=URL --describe=URL');
  process.exit(2);
}
const node = await start();
let different = 0;
try {
  if (price) different += await compare('price', price, node.url, priceQuestions());
  if (price) different += await compare('price, refused', price, node.url, refusedQuestions());
  if (describe) different += await compare('describe', describe, node.url, describeQuestions());
} finally {
  await node.stop();
}
process.exit(different ? 1 : 0);
