// The Node server by itself: what the components fall back to, and what stays in Node. Run by `npm test`.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { start } from './start.js';

let shop;
before(async () => {
  shop = await start();
});
after(() => shop.stop());

const get = (path, init) => fetch(shop.url + path, init);
const send = (path, method, body, headers = {}) =>
  get(path, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });

test('a quote has tax, a quantity break and whole cents', async () => {
  const quote = await (await get('/api/price/knot-book?qty=6&country=de')).json();
  const { list, discount, net, rate, tax, gross } = quote;
  assert.deepEqual({ list, discount, net, rate, tax, gross }, { list: 14400, discount: 720, net: 13680, rate: 7, tax: 958, gross: 14638 });
});

test('clothing in New York is taxed from 110 dollars on', async () => {
  const items = [{ sku: 'guernsey', qty: 1 }, { sku: 'watch-cap', qty: 2 }];
  const total = await (await send('/api/price', 'POST', { country: 'US', region: 'NY', items })).json();
  assert.deepEqual(total.lines.map((line) => line.tax), [540, 0]);
});

test('a wrong question is a 400 that names the field', async () => {
  const response = await get('/api/price/knot-book?qty=0&country=DE');
  assert.equal(response.status, 400);
  assert.deepEqual((await response.json()).error, { code: 'bad_quantity', message: 'qty must be a whole number from 1 to 999', field: 'qty' });
});

test('a description is clean', async () => {
  const html = await (await get('/api/describe/guernsey')).text();
  assert.match(html, /<em>Navy<\/em>/);
  assert.doesNotMatch(html, /script/);
});

test('the cart becomes an order, once, at the price that was shown', async () => {
  const put = await send('/api/cart/deck-brush', 'PUT', { qty: 2 });
  const cookie = put.headers.get('set-cookie').split(';')[0];
  const place = { country: 'FR', region: null };
  const total = await (await send('/api/price', 'POST', { ...place, items: (await put.json()).items })).json();
  const wrong = await send('/api/orders', 'POST', { ...place, total: total.total - 1 }, { cookie });
  assert.equal(wrong.status, 409);
  const order = await send('/api/orders', 'POST', { ...place, total: total.total }, { cookie });
  assert.equal(order.status, 201);
  assert.equal((await order.json()).total, total.total);
  const again = await send('/api/orders', 'POST', { ...place, total: total.total }, { cookie });
  assert.equal((await again.json()).error.code, 'empty_cart');
});

test('an order shows in the stock and in the feed', async () => {
  const socket = io(shop.url, { transports: ['websocket'] });
  const abort = new AbortController();
  const events = await get('/events', { signal: abort.signal });
  assert.match(events.headers.get('content-type'), /event-stream/);
  try {
    const watched = await socket.emitWithAck('watch', 'rope-mat');
    const changed = new Promise((resolve) => socket.on('stock', (change) => change.sku === 'rope-mat' && resolve(change)));
    const put = await send('/api/cart/rope-mat', 'PUT', { qty: 1 });
    const cookie = put.headers.get('set-cookie').split(';')[0];
    const total = await (await send('/api/price', 'POST', { country: 'NO', items: (await put.json()).items })).json();
    await send('/api/orders', 'POST', { country: 'NO', total: total.total }, { cookie });
    assert.equal((await changed).left, watched.left - 1);
    assert.match(await readUntil(events.body, '"place":"Norway"'), /event: order\n/);
  } finally {
    socket.close();
    abort.abort();
  }
});

test('what is not there is a 404 in JSON below /api', async () => {
  const response = await get('/api/nothing');
  assert.equal(response.status, 404);
  assert.equal((await response.json()).error.code, 'not_found');
});

async function readUntil(body, wanted) {
  let text = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes(wanted)) return text;
  }
  throw new Error(`the stream ended before ${wanted}: ${text}`);
}
