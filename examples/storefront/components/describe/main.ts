// Product descriptions: `GET /api/describe/:sku` fetches the product's markdown from the shop's own Node server and
// answers with clean HTML. The only request it may make is the one that coracle.toml grants; where the server listens
// is told by CATALOGUE_URL. StarlingMonkey, the engine inside, answers one request an instance.

import { getEnvironment } from 'wasi:cli/environment@0.2.10';
import { render } from './render';

addEventListener('fetch', (event: any) => event.respondWith(serve(event.request).catch(failed)));

async function serve(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  const sku = /^\/api\/describe\/([a-z0-9-]{1,64})\/?$/.exec(path)?.[1];
  if (!sku) return refuse(404, 'not_found', 'there is nothing at this path');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(405, 'method', 'use one of GET, HEAD', { allow: 'GET, HEAD' });
  }

  const source = await fetch(`${catalogue()}/catalogue/${sku}.md`);
  if (source.status === 404) return refuse(404, 'unknown_sku', `there is no description of "${sku}"`);
  if (!source.ok) throw new Error(`the catalogue answered ${source.status} for ${sku}`);
  const html = render(await source.text());
  return new Response(request.method === 'HEAD' ? null : html, {
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'public, max-age=60' },
  });
}

/** Node is away or starting, or the grant doesn't cover the request: worth another try in a moment. */
function failed(error: unknown): Response {
  console.error(`${error}`);
  return refuse(503, 'catalogue', 'the description could not be read', { 'retry-after': '1' });
}

/** Asked at each request: what is read at the top of the module would be the build machine's. */
function catalogue(): string {
  const found = getEnvironment().find(([name]) => name === 'CATALOGUE_URL');
  if (!found) throw new Error('CATALOGUE_URL is not set');
  return found[1];
}

function refuse(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ error: { code, message } }), {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  });
}
