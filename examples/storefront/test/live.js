// What a browser keeps open, tried through whatever serves the shop: server-sent events, and socket.io by WebSocket and
// by polling that is then upgraded.
//
//   npm run live -- http://127.0.0.1:8080            each once; exits with 1 when one fails
//   npm run live -- http://127.0.0.1:8080 --hold     one WebSocket, asked all the time until standard input ends
//
// `--hold` is for trying a reload: it exits with 1 when the connection was lost in between or an answer stayed away.

import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';

const PATIENCE_MS = 30_000;
const SKU = 'rope-mat';

const [url, mode] = process.argv.slice(2);
if (!url) {
  console.error('usage: npm run live -- URL [--hold]');
  process.exit(2);
}

/** An event stream says what was just bought. */
async function events() {
  const abort = new AbortController();
  const late = setTimeout(() => abort.abort(new Error('no event came')), PATIENCE_MS);
  try {
    const stream = await fetch(`${url}/events`, { signal: abort.signal });
    const type = stream.headers.get('content-type');
    if (!type?.startsWith('text/event-stream')) throw new Error(`${stream.status} ${type} is no event stream`);
    const id = await buy();
    let text = '';
    for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes('event: order') && text.includes('"place":"Norway"')) return `order ${id} showed as an event`;
    }
    throw new Error(`the stream ended: ${text}`);
  } finally {
    clearTimeout(late);
    abort.abort();
  }
}

async function buy() {
  const put = await send('PUT', `/api/cart/${SKU}`, { qty: 1 });
  const cookie = put.headers.get('set-cookie').split(';')[0];
  const { items } = await put.json();
  const { total } = await (await send('POST', '/api/price', { country: 'NO', items })).json();
  const order = await send('POST', '/api/orders', { country: 'NO', total }, { cookie });
  return (await order.json()).id;
}

async function send(method, path, body, headers = {}) {
  const init = { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
  const response = await fetch(url + path, init);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

const connect = (transports) => io(url, { transports, forceNew: true, reconnection: false, timeout: PATIENCE_MS });

async function watch(socket) {
  const { sku, left } = await socket.timeout(PATIENCE_MS).emitWithAck('watch', SKU);
  if (sku !== SKU || !Number.isInteger(left)) throw new Error(`asked for ${SKU}, heard ${sku} ${left}`);
  return left;
}

/** socket.io answers by this transport, or, begun by polling, by the one it was upgraded to. */
async function echo(transports) {
  const socket = connect(transports);
  try {
    const upgraded = new Promise((resolve, reject) => {
      if (transports.length === 1) return resolve();
      const late = setTimeout(() => reject(new Error('no upgrade came')), PATIENCE_MS);
      // from the start on: it can come before the connection is complete
      socket.io.engine.once('upgrade', () => (clearTimeout(late), resolve()));
    });
    const before = await Promise.all([watch(socket), upgraded]);
    const after = await watch(socket);
    return `${SKU}: ${before[0]} left, then ${after}, by ${socket.io.engine.transport.name}`;
  } finally {
    socket.close();
  }
}

async function hold() {
  const socket = connect(['websocket']);
  let lost = null;
  let ended = false;
  socket.on('disconnect', (reason) => (lost ??= reason));
  socket.on('connect_error', (error) => (lost ??= error.message));
  process.stdin.resume().once('end', () => (ended = true));
  let answers = 0;
  while (!ended && !lost) {
    await watch(socket);
    answers += 1;
    if (answers === 1) console.log('holding');
    await sleep(50);
  }
  socket.close();
  if (lost && !ended) throw new Error(`the connection was lost after ${answers} answers: ${lost}`);
  return `${answers} answers over one connection`;
}

const tries = { events, websocket: () => echo(['websocket']), 'polling, upgraded': () => echo(['polling', 'websocket']) };
let failed = false;
for (const [name, run] of mode === '--hold' ? [['held', hold]] : Object.entries(tries)) {
  try {
    console.log(`${name}: ${await run()}`);
  } catch (error) {
    console.log(`${name}: FAILED ${error.message}`);
    failed = true;
  }
}
process.exit(failed ? 1 : 0);
