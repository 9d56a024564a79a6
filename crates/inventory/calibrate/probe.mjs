// Checks the portability table in a component: `node probe.mjs --coracle PATH --js PATH`. Each global of the table that is
// said to work must be there in the engine, each that is said to be missing must not; what was seen becomes its evidence,
// and what contradicts the table changes it. Modules of Node can't be probed this way: a bundler decides about them.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { coracle: { type: 'string' }, js: { type: 'string' } } });
const file = new URL('../data/portability.json', import.meta.url);
const table = JSON.parse(readFileSync(file, 'utf8'));
const child = spawn(values.coracle, ['up', values.js, '--listen', '127.0.0.1:0', '--no-admin', '--quiet'], { stdio: ['ignore', 'pipe', 'pipe'] });
const url = await new Promise((resolve, reject) => {
  let said = '';
  const listen = (chunk) => { said += chunk; const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said); if (found) resolve(found[0]); };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  child.once('exit', () => reject(new Error(`coracle up ended: ${said}`)));
});
const names = Object.keys(table.entries).filter((name) => /^[A-Za-z_$][\w$.]*$/.test(name) && !/^(process|Buffer|native|global|root|GLOBAL|unparsed|missing|import)\b/.test(name));
const seen = await (await fetch(`${url}/probe`, { method: 'POST', body: JSON.stringify(names) })).json();
child.kill('SIGTERM');
const absent = 'not defined in Node either: the code behind it doesn\'t run there';
let changed = 0;
for (const name of names) {
  const entry = table.entries[name];
  const there = seen[name] !== 'undefined';
  const before = entry.status;
  if (entry.note === absent) {
    // Whether the engine has it says nothing about code that asks for it in Node.
    continue;
  }
  if (there && entry.status === 'blocked' && !['WebAssembly', 'Worker', 'SharedArrayBuffer', 'Atomics.wait'].includes(name)) entry.status = 'partial';
  if (!there && entry.status === 'works') { entry.status = 'blocked'; entry.note = 'not in the engine'; }
  entry.evidence = 'probe';
  if (before !== entry.status) { changed += 1; console.log(`${name}: ${before} → ${entry.status}`); }
}
writeFileSync(file, JSON.stringify(table, null, 1) + '\n');
console.log(`${names.length} names probed, ${changed} changed`);
