// Bundles a JavaScript file for a component as a project would, Node's modules replaced by those of unenv, and makes a component
// of it: `node build.mjs --jco DIR --wit DIR FILE OUT`. DIR of jco has the node_modules of jco, rolldown and unenv, as
// `coracle doctor --fix` installs them; DIR of wit is a copy of crates/toolchain/wit/js, which jco adds to.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
const { values, positionals: [file, out] } = parseArgs({ allowPositionals: true, options: { jco: { type: 'string' }, wit: { type: 'string' } } });
const from = createRequire(join(resolve(values.jco), 'package.json'));
const load = (name) => import(pathToFileURL(from.resolve(name)).href);
const { rolldown } = await load('rolldown');
const { defineEnv } = await load('unenv');
const { env } = defineEnv({ nodeCompat: true, npmShims: true, resolve: true });
const inject = Object.fromEntries(Object.entries(env.inject).filter(([, value]) => value));
const bundle = await rolldown({ input: resolve(file), platform: 'neutral', resolve: { alias: env.alias, mainFields: ['module', 'main'] }, transform: { inject }, external: env.external });
const bundled = join(mkdtempSync(join(tmpdir(), 'coracle-probe-')), 'bundle.js');
await bundle.write({ file: bundled, format: 'esm', codeSplitting: false });
// unenv asks for the time origin while the component is built, where the engine has none and aborts.
writeFileSync(bundled, readFileSync(bundled, 'utf8').replaceAll('globalThis.performance?.timeOrigin ??', 'undefined ??'));
const jco = join(resolve(values.jco), 'node_modules/.bin/jco');
const done = spawnSync(process.execPath, [jco, 'componentize', bundled, '--wit', resolve(values.wit), '--out', resolve(out)], { stdio: 'inherit' });
process.exit(done.status ?? 1);
