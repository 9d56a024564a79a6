// The load on an application: `URL=http://… node drive.mjs APP TURNS [BASE]`. A request after the other over one kept
// connection, so that every run does the same work; answers that are no success end it.
import { Agent, request } from 'node:http';
import { apps } from './apps.mjs';

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** One request: its status and body. */
export function ask(base, asked) {
  const { path, method = 'GET', type, body } = typeof asked === 'string' ? { path: asked } : asked;
  const headers = body ? { 'content-type': type, 'content-length': Buffer.byteLength(body) } : {};
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, base), { agent, method, headers }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString() }));
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** So many requests of an application's load. */
export async function drive(base, name, turns) {
  for (let i = 0; i < turns; i++) {
    const answer = await ask(base, apps[name].request(i));
    if (answer.status !== 200) throw new Error(`${name} answered ${answer.status}: ${answer.text.slice(0, 300)}`);
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  await drive(process.env.URL, process.argv[2], Number(process.argv[3]));
  agent.destroy();
}
