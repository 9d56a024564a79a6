// Predicted against measured on real applications: `node run.mjs --coracle PATH --wasm PATH [--front PATH]
// [--work DIR] [--only a,b]`; --front is the optimised program to measure with, if --coracle is none.
//
// Each application of apps.mjs is fetched from the npm registry at its version (and its dependencies as of a fixed day), recorded
// under its load by `coracle inventory --drive`, and its best unit taken. Then Coracle stands in front of the untouched
// application twice: once every request goes to Node, once the unit's route goes to the component of guest/. CPU time of all
// processes is what the operating system has counted, and the gain is the part of Node's that is saved. Answers of both are
// compared. Writes ../../../docs/inventory-apps.md.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { apps, prepare, same } from './apps.mjs';
import { ask, drive } from './drive.mjs';

/** Dependencies are those that were there before this day. */
const DAY = '2026-11-01';
const { values } = parseArgs({ options: { coracle: { type: 'string' }, wasm: { type: 'string' }, front: { type: 'string' }, work: { type: 'string' }, only: { type: 'string' }, rounds: { type: 'string', default: '5' } } });
const work = resolve(values.work ?? mkdtempSync(join(tmpdir(), 'coracle-inventory-apps-')));
const [coracle, wasm] = [resolve(values.coracle), resolve(values.wasm)];
const frontDoor = resolve(values.front ?? values.coracle);
const ROUNDS = Number(values.rounds);
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

const run = (command, args, options = {}) => {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${done.status}: ${done.stderr?.slice(-2000)}`);
  return done.stdout;
};

/** The application as the registry has it, with its dependencies. */
function fetched(name, { version }) {
  const dir = join(work, `${name}-${version}`);
  if (existsSync(join(dir, '.ready'))) return dir;
  mkdirSync(dir, { recursive: true });
  const archive = run('npm', ['pack', `${name}@${version}`, '--silent'], { cwd: work }).trim().split('\n').at(-1);
  run('tar', ['xzf', archive, '-C', dir, '--strip-components=1'], { cwd: work });
  run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', `--before=${DAY}`], { cwd: dir });
  writeFileSync(join(dir, '.ready'), '');
  return dir;
}

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => resolve(String(port))); });
});

async function answering(base, request, child) {
  for (let i = 0; i < 1200; i++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    try {
      return await ask(base, request);
    } catch {
      await sleep(100);
    }
  }
  throw new Error(`${base} doesn't answer`);
}

async function node(name, app, dir, content) {
  const port = await freePort();
  const child = spawn('node', app.start(port, content), { cwd: dir, env: { ...process.env, PORT: port }, stdio: 'ignore' });
  children.add(child);
  const base = `http://127.0.0.1:${port}`;
  await answering(base, app.request(0), child);
  return { child, base };
}

/** Coracle in front of Node; `moved` is the path of what goes to the component. */
async function front(name, content, upstream, moved) {
  const manifest = join(mkdtempSync(join(work, 'front-')), 'coracle.toml');
  const component = moved === undefined ? '' : `[component.unit]\nsource = "${wasm}"\nenv = { APP = "${name}" }\nreuse = { requests = 1000000 }\n[component.unit.grants]\nfiles = [{ from = "${content}", to = "/content" }]\n[component.unit.limits]\nmemory = "256MiB"\ncpu_per_request = "10s"\ndeadline = "30s"\n[[route]]\npath = "${moved}"\nto = "unit"\n`;
  const rest = moved === '/*' ? '' : '[[route]]\npath = "/*"\nto = "node"\n';
  writeFileSync(manifest, `name = "front"\n${component}${rest}[upstream.node]\nurl = "${upstream}"\n`);
  const child = spawn(frontDoor, ['up', manifest, '--listen', '127.0.0.1:0', '--no-admin', '--quiet'], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const base = await new Promise((resolve, reject) => {
    let said = '';
    const listen = (chunk) => { said += chunk; const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said); if (found) resolve(found[0]); };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', () => reject(new Error(`coracle up ended: ${said}`)));
  });
  return { child, base };
}

const stop = (child) => new Promise((done) => { child.once('exit', done); children.delete(child); child.kill('SIGTERM'); setTimeout(() => child.kill('SIGKILL'), 5000).unref(); });

/** CPU time of a process so far, in µs: its own and the system's for it, all threads. */
const cpu = (child) => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
};

async function one(name) {
  const app = apps[name];
  const dir = fetched(name, app);
  const content = join(work, `content-${name}`);
  mkdirSync(content, { recursive: true });
  app.content(content, dir);
  const report = join(work, `${name}.json`);
  const recordPort = await freePort();
  run(coracle, ['inventory', dir, '--entry', app.entry, '--no-cache', '--report', report, '--drive', `node ${new URL('drive.mjs', import.meta.url).pathname} ${name} ${app.turns}`, '--', 'node', ...app.start(recordPort, content)], { env: { ...process.env, PORT: recordPort } });
  const inventory = JSON.parse(readFileSync(report, 'utf8'));
  // What is no route can't be replaced without changing the application: then the best route stands for it, and the page says so.
  const alone = inventory.units.filter((unit) => unit.part_of === null);
  const unit = alone.find((unit) => unit.kind === 'route' && unit.gain !== null && unit.cost.calls > 0) ?? alone[0];
  const place = alone.indexOf(unit) + 1;
  if (!unit?.gain || unit.kind !== 'route') return { name, app, unit, place, inventory, why: 'no route with a predicted gain was found' };
  const server = await node(name, app, dir, content);
  await prepare(name, content, dir, server.base, ask);
  const before = await front(name, content, server.base);
  const after = await front(name, content, server.base, app.moved);
  const differences = [];
  for (let i = 0; i < 8; i++) {
    const [a, b] = [await answering(before.base, app.request(i), before.child), await answering(after.base, app.request(i), after.child)];
    if (b.status !== a.status || !same(name, a.text, b.text)) differences.push(`request ${i}: ${a.status} and ${b.status}, ${a.text.length} and ${b.text.length} bytes`);
  }
  // Once for the engines to warm up, then by turns.
  const turns = app.turns;
  for (const side of [before, after]) await drive(side.base, name, Math.ceil(turns / 2));
  const gains = [], details = [];
  for (let round = 0; round < ROUNDS; round++) {
    const sides = [];
    for (const side of [before, after]) {
      const [n, c] = [cpu(server.child), cpu(side.child)];
      await drive(side.base, name, turns);
      sides.push({ node: (cpu(server.child) - n) / turns, front: (cpu(side.child) - c) / turns });
    }
    const [a, b] = sides;
    gains.push((a.node + a.front - b.node - b.front) / a.node);
    details.push(sides);
  }
  for (const { child } of [before, after, server]) await stop(child);
  gains.sort((a, b) => a - b);
  const middle = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
  const [a, b] = [0, 1].map((side) => ({ node: middle(details.map((d) => d[side].node)), front: middle(details.map((d) => d[side].front)) }));
  return { name, app, unit, place, inventory, gain: middle(gains), least: gains[0], most: gains.at(-1), a, b, differences };
}

const results = [];
for (const name of values.only?.split(',') ?? Object.keys(apps)) {
  try {
    results.push(await one(name));
  } catch (error) {
    results.push({ name, app: apps[name], why: String(error.message ?? error).split('\n')[0] });
  }
  const { unit, gain, why, differences } = results.at(-1);
  console.log(`${name}: ${unit?.id ?? '–'}: ${why ?? `predicted ${unit.gain.of_busy.map((x) => (100 * x).toFixed(1)).join(' to ')} %, measured ${(100 * gain).toFixed(1)} %; ${differences.length} answers differ ${differences[0] ?? ''}`}`);
}
writeFileSync(join(work, 'results.json'), JSON.stringify(results, null, 1));

const percent = (x) => (100 * x).toFixed(1);
const inside = (r, gain) => gain >= r.unit.gain.of_busy[0] && gain <= r.unit.gain.of_busy[1];
const within = (r) => inside(r, r.gain);
/** The same gain, had there been no Coracle in front of Node before. */
const alone = (r) => (r.a.node - r.b.node - r.b.front) / r.a.node;
const measured = results.filter((r) => r.gain !== undefined);
const rows = results.map((r) => {
  const what = `| ${r.name} ${r.app.version} | ${r.unit ? `${r.place}. ${r.unit.name} (${r.unit.file}:${r.unit.line})` : '–'} | ${r.unit ? `${r.unit.advice.action}, ${r.unit.advice.verdict}` : '–'}`;
  if (r.gain === undefined) return `${what} | – | not measured: ${r.why} | – | – | – | – |`;
  const [low, high] = r.unit.gain.of_busy;
  const verdict = within(r) ? 'yes' : `**no**, it is ${r.gain > high ? 'more' : 'less'}`;
  return `${what} | ${percent(low)} to ${percent(high)} | ${percent(r.gain)} (${percent(r.least)} to ${percent(r.most)}) | ${verdict} | ${percent(alone(r))}${inside(r, alone(r)) ? '' : ', **no**'} | ${r.a.node.toFixed(0)} + ${r.a.front.toFixed(0)} | ${r.b.node.toFixed(0)} + ${r.b.front.toFixed(0)} |`;
});
const differing = measured.filter((r) => r.differences.length > 0);
writeFileSync(new URL('../../../docs/inventory-apps.md', import.meta.url), `# Predicted and measured, on applications nobody wrote for it

Generated by \`node crates/inventory/apps/run.mjs\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} × ${cpus()[0].model.trim()}, Node ${process.version}. The applications are as
the npm registry has them, their dependencies as of ${DAY}; they were chosen before the tool had seen them. Each was recorded
under its load; the route that the inventory puts first, ahead of which other kinds of units may stand, was written in Rust (crates/inventory/apps/guest) and took the
requests at Coracle's front door, beside the application. The gain is CPU time saved of all processes, as a part of Node's, the median of ${ROUNDS}
rounds with the least and the most. It can exceed 100 %, because Coracle
also passes nothing on to Node then; the prediction knows nothing of that, so the gain against Node without Coracle stands beside it. In
the last two columns: µs of CPU a request, Node + Coracle, before and after.

**${measured.filter(within).length} of ${results.length} lie in the predicted interval; ${measured.length} could be measured.**

The first run of this page, on json-server, predicted 7.5 to 29.8 % and measured 75 %: the model counted a route's own work alone. Since
then it adds what Node does around a route that moves whole, so json-server is no longer evidence that the model had not seen. After reveal-md, it takes only the time within
a package for that package's kind of work. An interval that spans more than 100 % says little even where it holds.

| application | unit, with its rank | advice | predicted gain, % | measured gain, % | within | against Node alone, % | before | after |
|---|---|---|--:|--:|---|--:|--:|--:|
${rows.join('\n')}

What each is: ${results.map((r) => `${r.name}, ${r.app.what}`).join('; ')}.

${differing.length === 0 ? 'The answers of component and application were compared for every kind of request of the load, and agree as apps.mjs demands.' : `Answers that differ more than apps.mjs allows: ${differing.map((r) => `${r.name} (${r.differences[0]})`).join('; ')}.`}
`);
