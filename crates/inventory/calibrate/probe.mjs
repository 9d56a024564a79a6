// Checks the portability table by what happens: `node probe.mjs --coracle PATH --probes PATH --js PATH`. The probes of
// js/behaviour.js have to hold in this process, or they say nothing; then each is asked of a component that `coracle up` serves,
// with a granted directory and an environment. Globals without a probe are looked for in the engine (js/main.js). What holds is
// `probe`; what throws is blocked, with what it said; what nobody has asked is unknown, whatever the table hoped.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { coracle: { type: 'string' }, probes: { type: 'string' }, js: { type: 'string' } } });
const file = new URL('../data/portability.json', import.meta.url);
const table = JSON.parse(readFileSync(file, 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'coracle-probe-'));
writeFileSync(join(work, 'hello.txt'), 'hello');
globalThis.PROBE_FILE = join(work, 'hello.txt');
process.env.PROBE = 'set';
const hello = createServer((_, response) => response.end('hi'));
await new Promise((done) => hello.listen(0, '127.0.0.1', done));
globalThis.PROBE_URL = `http://127.0.0.1:${hello.address().port}/`;
const { probe, probes } = await import('./js/behaviour.js');

async function serve(args) {
  const child = spawn(values.coracle, ['up', ...args, '--listen', '127.0.0.1:0', '--no-admin', '--quiet'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const url = await new Promise((resolve, reject) => {
    let said = '';
    const listen = (chunk) => { said += chunk; const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said); if (found) resolve(found[0]); };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', () => reject(new Error(`coracle up ended: ${said}`)));
  });
  return { url, stop: () => child.kill('SIGTERM') };
}

const manifest = join(work, 'coracle.toml');
writeFileSync(manifest, `name = "probe"\n[component.probe]\nsource = "${resolve(values.probes)}"\nenv = { PROBE = "set" }\n[component.probe.grants]\nfiles = [{ from = "${work}", to = "/probe" }]\nhttp = ["GET ${globalThis.PROBE_URL}**"]\n[component.probe.limits]\nmemory = "256MiB"\ncpu_per_request = "5s"\ndeadline = "10s"\n[[route]]\npath = "/*"\nto = "probe"\n`);
const there = await serve([manifest]);
const outcomes = {};
for (const name of Object.keys(probes)) {
  const here = await probe(name);
  if (here !== 'yes') throw new Error(`the probe ${name} doesn't hold in Node itself: ${here}`);
  const answer = await fetch(`${there.url}/${encodeURIComponent(name)}?url=${encodeURIComponent(globalThis.PROBE_URL)}`);
  const text = (await answer.text()).replace(/\s+/g, ' ').trim();
  outcomes[name] = answer.status === 200 ? text : `the component failed with ${answer.status}`;
}
there.stop();
hello.close();

// What of the engine is there at all.
const absent = 'not defined in Node either: the code behind it doesn\'t run there';
const names = Object.keys(table.entries).filter((name) => /^[A-Za-z_$][\w$.]*$/.test(name) && !/^(process|Buffer|native|global|root|GLOBAL|unparsed|missing|import|require)\b/.test(name));
let present = {};
if (values.js) {
  const engine = await serve([values.js]);
  present = await (await fetch(`${engine.url}/probe`, { method: 'POST', body: JSON.stringify(names) })).json();
  engine.stop();
}

const counts = {};
const said = { works: 'behaves as in Node, as far as probed', shimmed: 'bundled by unenv; behaves as in Node, as far as probed' };
for (const [name, entry] of Object.entries(table.entries)) {
  const before = entry.status;
  const outcome = outcomes[name];
  if (outcome === 'yes') {
    // A probe says that something works, not that all of it does.
    if (before === 'unknown' || before === 'blocked') [entry.status, entry.note] = ['partial', said.works];
    entry.evidence = 'probe';
  } else if (outcome !== undefined) {
    // A wrong answer is some of it; so is an API of the engine that fails in part. A replacement that throws is none.
    const some = outcome === 'no' || (present[name] !== undefined && present[name] !== 'undefined');
    [entry.status, entry.evidence] = [some ? 'partial' : 'blocked', 'probe'];
    entry.note = outcome === 'no' ? 'its replacement behaves otherwise than Node' : `it fails in a JavaScript component: ${outcome}`;
  } else if (entry.note === absent) {
    const missing = (name.split('.').reduce((value, part) => value?.[part], globalThis)) === undefined;
    if (missing) entry.evidence = 'node';
    else [entry.status, entry.evidence, entry.note] = ['unknown', 'none', 'Node has it by now; nobody has asked a component'];
  } else if (present[name] !== undefined && entry.status !== 'blocked') {
    if (present[name] === 'undefined') [entry.status, entry.note] = ['blocked', 'not in the engine'];
    // That it is there says that it may work.
    else if (entry.status === 'works') [entry.status, entry.note] = ['partial', 'there in the engine; what it does was not probed'];
    entry.evidence = 'probe';
  } else if (entry.status !== 'blocked') {
    if (entry.status !== 'unknown') entry.note = `not probed; expected to be ${entry.status}: ${entry.note}`;
    [entry.status, entry.evidence] = ['unknown', 'none'];
  }
  const change = before === entry.status ? `${entry.status}, ${entry.evidence}` : `${before} → ${entry.status}`;
  counts[change] = (counts[change] ?? 0) + 1;
  if (before !== entry.status && outcome !== undefined) console.log(`${name}: ${before} → ${entry.status}: ${outcome}`);
}
table.version = new Date().toISOString().slice(0, 10);
writeFileSync(file, JSON.stringify(table, null, 1) + '\n');
console.log(`${Object.keys(probes).length} probes, ${Object.values(outcomes).filter((outcome) => outcome === 'yes').length} hold in a component`);
console.log(counts);
