// The kernels of own.mjs, and probes of the engine, as a JavaScript component. `/NAME?TIMES` answers with the nanoseconds of
// a turn; `/probe` is given names as JSON and answers which of them are there.
import { own } from '../own.mjs';

/** What a dotted name stands for; `undefined` where nothing does. */
function look(name) {
  let value = globalThis;
  for (const part of name.split('.')) {
    if (value === null || value === undefined) return 'undefined';
    value = value[part];
  }
  return typeof value;
}

async function answer(request) {
  const url = new URL(request.url);
  const name = url.pathname.slice(1);
  if (name === 'probe') {
    const names = await request.json();
    return JSON.stringify(Object.fromEntries(names.map((name) => [name, look(name)])));
  }
  const kernel = own[name]?.[1];
  if (!kernel) return 'unknown';
  const times = Number(url.search.slice(1) || 1);
  kernel();
  const begun = performance.now();
  for (let i = 0; i < times; i++) kernel();
  return String(((performance.now() - begun) * 1e6) / times);
}

addEventListener('fetch', (event) => event.respondWith(answer(event.request).then((text) => new Response(text))));
