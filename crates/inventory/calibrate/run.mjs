// Measures the constants of the inventory's model and writes them: `node run.mjs --coracle PATH --wasm PATH [--js PATH]`.
//
// Each kernel runs in this process and in a component that `coracle up` serves; both tell the time of one turn by their own
// clocks, the best of several rounds taken by turns, because a busy machine only ever makes things slower. Boundaries are
// whole requests from here. Writes ../data/constants.json and ../../../docs/inventory-calibration.md.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { kernels } from './kernels.mjs';
import { own } from './own.mjs';

const { values } = parseArgs({ options: { coracle: { type: 'string' }, wasm: { type: 'string' }, js: { type: 'string' }, rounds: { type: 'string', default: '5' } } });
const here = (name) => new URL(name, import.meta.url);
const ROUNDS = Number(values.rounds);
const TURN_MS = 150;

const children = [];

async function serve(wasm, reuse) {
  const limits = 'cpu_per_request=60s,deadline=120s,memory=512MiB';
  const child = spawn(values.coracle, ['up', wasm, '--listen', '127.0.0.1:0', '--no-admin', '--quiet', '--limit', limits, ...reuse], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const url = await new Promise((resolve, reject) => {
    let said = '';
    const listen = (chunk) => {
      said += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', () => reject(new Error(`coracle up ended: ${said}`)));
  });
  return { url, stop: () => child.kill('SIGTERM') };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const ask = (url, body) => new Promise((resolve, reject) => {
  const asked = request(url, { agent, method: body ? 'POST' : 'GET' }, (answer) => {
    const chunks = [];
    answer.on('data', (chunk) => chunks.push(chunk));
    answer.on('end', () => resolve(Buffer.concat(chunks)));
    answer.on('error', reject);
  });
  asked.on('error', reject);
  asked.end(body);
});

/** Microseconds of one turn in this process. */
function here_us(work) {
  let turns = 1;
  for (;;) {
    const begun = performance.now();
    for (let i = 0; i < turns; i++) work();
    const took = performance.now() - begun;
    if (took >= TURN_MS) return (took * 1000) / turns;
    turns = Math.max(turns + 1, Math.ceil((turns * TURN_MS * 1.2) / Math.max(took, 0.01)));
  }
}

/** Microseconds of one turn in the component. */
async function there_us(url, name, turns) {
  const answer = String(await ask(`${url}/${name}?${turns}`));
  if (!(Number(answer) > 0)) throw new Error(`${name} answered ${JSON.stringify(answer.slice(0, 200))}`);
  return Number(answer) / 1000;
}

/** Median and 90th percentile of a request, in microseconds. */
async function hop(url, body, times = 2000) {
  const took = [];
  for (let i = 0; i < times; i++) {
    const begun = performance.now();
    await ask(url, body);
    took.push((performance.now() - begun) * 1000);
  }
  took.sort((a, b) => a - b);
  return [took[times >> 1], took[Math.floor(times * 0.9)]];
}

process.on('exit', () => children.forEach((child) => child.kill('SIGTERM')));
const rust = await serve(values.wasm, ['--reuse', 'requests=1000000']);
const rows = [];
for (const [name, [work, kernel]] of Object.entries(kernels)) {
  let node = Infinity, component = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    node = Math.min(node, here_us(kernel));
    const turns = Math.max(1, Math.round((TURN_MS * 1000) / node));
    component = Math.min(component, await there_us(rust.url, name, turns));
  }
  rows.push({ name, work, node, component, speedup: node / component });
  console.error(`${name.padEnd(18)} ${node.toFixed(1).padStart(10)} µs in Node ${component.toFixed(1).padStart(10)} µs in a component: ${(node / component).toFixed(2)}×`);
}
const nothing = await hop(`${rust.url}/nothing`);
const empty = await hop(`${rust.url}/echo`, Buffer.alloc(64));
const large = await hop(`${rust.url}/echo`, Buffer.alloc(256 * 1024), 300);
rust.stop();
let slow = [];
if (values.js) {
  const js = await serve(values.js, []);
  for (const name of ['levenshtein', 'matrix', 'crc32', 'slugs', 'regex', 'json']) {
    const node = rows.find((row) => row.name === name).node;
    const turns = Math.max(1, Math.round(200_000 / (node * 50)));
    let component = Infinity;
    for (let round = 0; round < ROUNDS; round++) component = Math.min(component, await there_us(js.url, name, turns));
    slow.push({ name, node, component, slowdown: component / node });
    console.error(`${name.padEnd(18)} ${component.toFixed(1).padStart(10)} µs in a JavaScript component: ${(component / node).toFixed(0)} times slower`);
  }
  js.stop();
}
agent.destroy();

const file = here('../data/constants.json');
const before = JSON.parse(readFileSync(file, 'utf8'));
const round = (x) => Number(x.toPrecision(2));
const spread = (list) => [round(Math.min(...list) / 1.5), round(Math.max(...list) * 1.5)];
const speedup = { ...before.speedup };
for (const work of new Set(rows.map((row) => row.work))) speedup[work] = spread(rows.filter((row) => row.work === work).map((row) => row.speedup));
const per_kib = (large[0] - empty[0]) / 512; // 256 KiB in and 256 KiB out
// JSON is the engine's own machine code in either place: no measure for JavaScript that computes.
const constants = {
  version: new Date().toISOString().slice(0, 10),
  measured_on: `${cpus().length} × ${cpus()[0].model.trim()}, Node ${process.version}`,
  speedup,
  packages: Object.fromEntries(rows.filter((row) => !(row.name in own)).map((row) => [row.name, spread([row.speedup])])),
  javascript_component_slowdown: slow.length ? spread(slow.filter((row) => row.name !== 'json').map((row) => row.slowdown)).map((x) => Math.max(1, x)) : before.javascript_component_slowdown,
  call_us: before.call_us,
  hop_us: nothing.map(round),
  per_kib_us: [round(Math.max(0.05, per_kib / 1.5)), round(Math.max(0.1, per_kib * 1.5))],
};
writeFileSync(file, JSON.stringify(constants, null, 1) + '\n');

// Each unit is predicted from the others: its own measurement doesn't count.
const predict = (row) => {
  const others = rows.filter((other) => other.work === row.work && other !== row).map((other) => other.speedup);
  return others.length ? spread(others) : null;
};
const table = rows.map((row) => {
  const interval = predict(row);
  const shown = interval ? `${interval[0]} to ${interval[1]}` : 'no other of its kind';
  const right = interval === null ? '–' : row.speedup >= interval[0] && row.speedup <= interval[1] ? 'yes' : `**no**, it is ${row.speedup < interval[0] ? 'slower' : 'faster'}`;
  return `| ${row.name} | ${row.work} | ${row.node.toFixed(1)} | ${row.component.toFixed(1)} | ${row.speedup.toFixed(2)} | ${shown} | ${right} |`;
});
const slower = slow.map((row) => `| ${row.name} | ${row.node.toFixed(1)} | ${row.component.toFixed(1)} | ${row.slowdown.toFixed(0)} |`);
writeFileSync(here('../../../docs/inventory-calibration.md'), `# Calibration of the inventory's model

Generated by \`node crates/inventory/calibrate/run.mjs\` on ${constants.version}: ${constants.measured_on}. Times are of one turn,
in µs, the best of ${ROUNDS} rounds; the component is Rust, compiled by Coracle's own engine, and tells its time by its own clock.

The prediction for each unit comes from the *other* units of its kind of work, widened by half on both sides: what the model
would have said had it never seen the unit. A kind with one unit has no such prediction, and its constants rest on that unit alone.

| unit | work | Node | component | times faster | predicted | within |
|---|---|--:|--:|--:|---|---|
${table.join('\n')}

A request from Node to an empty component over one kept connection: ${nothing[0].toFixed(0)} µs in the median, ${nothing[1].toFixed(0)} µs for nine of ten;
moving one KiB in or out: ${per_kib.toFixed(2)} µs.
${slower.length ? `
The same JavaScript as a JavaScript component (StarlingMonkey):

| unit | Node | component | times slower |
|---|--:|--:|--:|
${slower.join('\n')}
` : ''}`);
