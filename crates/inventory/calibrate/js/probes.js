// The probes of behaviour.js as a JavaScript component: `GET /` answers with the outcome of each that the path names, or with
// their names. A probe that ends the instance ends only its own request.
import { probe, probes } from './behaviour.js';

addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  const name = decodeURIComponent(url.pathname.slice(1));
  // A server that answers "hi", which this component may ask.
  globalThis.PROBE_URL = url.searchParams.get('url');
  const answer = name === '' ? Promise.resolve(JSON.stringify(Object.keys(probes))) : probe(name);
  event.respondWith(answer.then((text) => new Response(text)));
});
