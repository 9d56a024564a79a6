// Vite's hot reload through whatever stands before it: connects to Vite's WebSocket as the browser does, changes a page's
// source, waits for the update and fetches it. The source is put back byte for byte, also when interrupted.
//
//   coracle up --variant dev
//   npm run hot-reload -- http://127.0.0.1:8080
//
// Exits with 1 when no update comes.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';

const PATIENCE_MS = 60_000;
const PAGE = '/src/pages/orders.tsx';

const [url] = process.argv.slice(2);
if (!url) {
  console.error('usage: npm run hot-reload -- URL');
  process.exit(2);
}

async function text(path) {
  const response = await fetch(url + path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.text();
}

/** Messages as they come; `next` waits for one that `wanted` accepts. */
function messages(socket) {
  const seen = [];
  let heard = () => {};
  socket.on('message', (data) => {
    seen.push(JSON.parse(data.toString()));
    heard();
  });
  return function next(wanted) {
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${why}; heard ${JSON.stringify(seen)}`));
      const late = setTimeout(() => fail('no such message came'), PATIENCE_MS);
      socket.once('error', (error) => fail(error.message));
      socket.once('close', (code) => fail(`the WebSocket closed with ${code}`));
      heard = () => {
        const found = seen.find(wanted);
        if (found) clearTimeout(late), resolve(found);
      };
      heard();
    });
  };
}

const file = fileURLToPath(new URL(`../web${PAGE}`, import.meta.url));
const original = readFileSync(file);
const putBack = () => writeFileSync(file, original);

async function run() {
  const token = /wsToken = "([^"]+)"/.exec(await text('/@vite/client'))?.[1];
  if (!token) throw new Error('/@vite/client names no token: is this Vite?');
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/?token=${token}`, 'vite-hmr', { origin: url });
  const next = messages(socket);
  await next((message) => message.type === 'connected');
  if (socket.protocol !== 'vite-hmr') throw new Error(`the sub-protocol is "${socket.protocol}"`);
  // As a browser does: Vite tells only of modules that were asked for, with those that import them.
  await text('/');
  await text('/src/main.tsx');
  await text(PAGE);
  const mark = `hot-reload-${process.pid}`;
  const begin = performance.now();
  writeFileSync(file, Buffer.concat([original, Buffer.from(`\n/*! ${mark} */\n`)]));
  const { updates } = await next((message) => message.type === 'update' && message.updates.some(({ path }) => path === PAGE));
  const took = Math.round(performance.now() - begin);
  const { type, timestamp } = updates.find(({ path }) => path === PAGE);
  if (!(await text(`${PAGE}?t=${timestamp}`)).includes(mark)) throw new Error('the update holds the old source');
  socket.removeAllListeners('close').close();
  return `${type} of ${PAGE} after ${took} ms`;
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    putBack();
    process.exit(1);
  });
}
let code = 0;
try {
  console.log(await run());
} catch (error) {
  console.log(`FAILED ${error.message}`);
  code = 1;
} finally {
  putBack();
}
process.exit(code);
