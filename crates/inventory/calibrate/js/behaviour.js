// What the entries of the portability table do, asked of the thing itself: each probe is named like its entry and gives true
// when the API behaves as in Node. The same file runs in Node, where every probe must hold, and bundled in a component.
import assert from 'node:assert';
import { AsyncLocalStorage } from 'node:async_hooks';
import * as buffer from 'node:buffer';
import * as crypto from 'node:crypto';
import EventEmitter from 'node:events';
import * as fs from 'node:fs';
import * as fsp from 'node:fs/promises';
import * as http from 'node:http';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import * as perf from 'node:perf_hooks';
import nodeProcess from 'node:process';
import * as punycode from 'node:punycode';
import * as querystring from 'node:querystring';
import * as stream from 'node:stream';
import * as consumers from 'node:stream/consumers';
import * as pipelines from 'node:stream/promises';
import * as webstreams from 'node:stream/web';
import * as decoding from 'node:string_decoder';
import * as timers from 'node:timers';
import * as later from 'node:timers/promises';
import * as nodeUrl from 'node:url';
import * as util from 'node:util';
import * as zlib from 'node:zlib';

const { Buffer } = buffer;
const FILE = globalThis.PROBE_FILE ?? '/probe/hello.txt';
const soon = (turn) => new Promise((done) => setTimeout(() => done(turn()), 1));
const thrown = (turn) => { try { turn(); return false; } catch { return true; } };
const all = async (readable) => { let text = ''; for await (const chunk of readable) text += new TextDecoder().decode(chunk); return text; };

export const probes = {
  // Of the Web and the language.
  AbortController: () => { const c = new AbortController(); c.abort('x'); return c.signal.aborted && c.signal.reason === 'x'; },
  AbortSignal: () => AbortSignal.abort().aborted,
  Blob: async () => (await new Blob(['a', 'bc']).text()) === 'abc',
  CompressionStream: async () => {
    const packed = new Blob(['hello hello hello']).stream().pipeThrough(new CompressionStream('gzip'));
    return (await new Response(packed.pipeThrough(new DecompressionStream('gzip'))).text()) === 'hello hello hello';
  },
  DecompressionStream: async () => (await new Response(new Blob([new Uint8Array([75, 4, 0])]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).text()) === 'a',
  DOMException: () => new DOMException('m', 'AbortError').name === 'AbortError',
  Event: () => new Event('x').type === 'x',
  EventTarget: () => { const t = new EventTarget(); let n = 0; t.addEventListener('x', () => n++); t.dispatchEvent(new Event('x')); return n === 1; },
  FormData: () => { const f = new FormData(); f.append('a', 'b'); return f.get('a') === 'b'; },
  File: () => new File(['a'], 'n.txt').name === 'n.txt',
  Headers: () => { const h = new Headers({ A: '1' }); h.append('a', '2'); return h.get('A') === '1, 2'; },
  Intl: () => new Intl.NumberFormat('de-DE').format(1234.5) === '1.234,5' && new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', month: 'long' }).format(0) === 'January',
  ReadableStream: async () => (await new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('ab')); c.close(); } })).text()) === 'ab',
  Request: async () => (await new Request('http://a/', { method: 'POST', body: 'x' }).text()) === 'x',
  Response: async () => (await new Response('{"a":1}').json()).a === 1,
  TextDecoder: () => new TextDecoder().decode(new Uint8Array([0xc3, 0xa9])) === 'é' && new TextDecoder('utf-16le').decode(new Uint8Array([0x61, 0])) === 'a' && new TextDecoder('latin1').decode(new Uint8Array([0xe9])) === 'é',
  TextEncoder: () => new TextEncoder().encode('é').join() === '195,169',
  TransformStream: async () => (await new Response(new Blob(['a']).stream().pipeThrough(new TransformStream({ transform(chunk, c) { c.enqueue(chunk); c.enqueue(chunk); } }))).text()) === 'aa',
  URL: () => new URL('../b?c=d#e', 'http://x.y/a/z').href === 'http://x.y/b?c=d#e' && new URL('http://ü.de').host === 'xn--tda.de',
  URLSearchParams: () => new URLSearchParams('a=1&a=2').getAll('a').join() === '1,2',
  WritableStream: async () => { let got = ''; const w = new WritableStream({ write(c) { got += c; } }).getWriter(); await w.write('a'); await w.close(); return got === 'a'; },
  atob: () => atob('aGk=') === 'hi',
  btoa: () => btoa('hi') === 'aGk=',
  clearTimeout: async () => { let n = 0; const t = setTimeout(() => n++, 1); clearTimeout(t); await soon(() => 0); return n === 0; },
  console: () => typeof console.error === 'function' && typeof console.table === 'function',
  'crypto.getRandomValues': () => globalThis.crypto.getRandomValues(new Uint8Array(16)).some((x) => x !== 0),
  'crypto.randomUUID': () => /^[0-9a-f]{8}-[0-9a-f]{4}-4/.test(globalThis.crypto.randomUUID()),
  'crypto.subtle': async () => Buffer.from(await globalThis.crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))).toString('hex').startsWith('ba7816bf'),
  fetch: async () => (await (await fetch(globalThis.PROBE_URL)).text()) === 'hi',
  performance: async () => { const a = performance.now(); await soon(() => 0); return performance.now() > a; },
  queueMicrotask: () => new Promise((done) => queueMicrotask(() => done(true))),
  setImmediate: () => new Promise((done) => setImmediate(() => done(true))),
  setInterval: () => new Promise((done) => { let n = 0; const t = setInterval(() => { if (++n === 2) { clearInterval(t); done(true); } }, 1); }),
  setTimeout: () => new Promise((done) => setTimeout((x) => done(x === 5), 1, 5)),
  structuredClone: () => { const a = { m: new Map([[1, new Date(5)]]), b: new Uint8Array([1]) }; a.self = a; const c = structuredClone(a); return c.self === c && c.m.get(1).getTime() === 5 && c.b[0] === 1; },
  AsyncLocalStorage: async () => { const s = new AsyncLocalStorage(); return s.run(7, async () => { await soon(() => 0); return s.getStore() === 7; }); },
  Buffer: () => Buffer.from('aGk=', 'base64').toString() === 'hi' && Buffer.from('é').toString('hex') === 'c3a9' && Buffer.from('é', 'latin1').length === 1 && Buffer.concat([Buffer.from('a'), Buffer.alloc(1)]).readUInt16BE(0) === 0x6100 && Buffer.byteLength('€') === 3,
  global: () => global === globalThis,
  // Of Node.
  'node:assert': () => thrown(() => assert.strictEqual(1, 2)) && thrown(() => assert.deepStrictEqual({ a: [1] }, { a: [2] })) && !thrown(() => assert.ok(1)),
  'node:async_hooks': async () => { const s = new AsyncLocalStorage(); return s.run(7, async () => { await soon(() => 0); return s.getStore() === 7; }); },
  'node:buffer': () => buffer.Buffer.from([1, 2]).equals(new buffer.Buffer.from([1, 2])) && buffer.Buffer.from('ab').slice(1).toString() === 'b',
  'node:crypto.createHash': () => crypto.createHash('sha256').update('abc').digest('hex').startsWith('ba7816bf') && crypto.createHash('md5').update('').digest('hex').startsWith('d41d8cd9'),
  'node:crypto.createHmac': () => crypto.createHmac('sha256', 'key').update('a').digest('hex').length === 64,
  'node:crypto.createCipheriv': () => { const c = crypto.createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12)); return Buffer.concat([c.update('a'), c.final()]).length === 1; },
  'node:crypto.createDecipheriv': () => typeof crypto.createDecipheriv('aes-128-cbc', Buffer.alloc(16), Buffer.alloc(16)).update === 'function',
  'node:crypto.createSign': () => typeof crypto.createSign('RSA-SHA256').update('a').sign === 'function',
  'node:crypto.createVerify': () => typeof crypto.createVerify('RSA-SHA256').update('a').verify === 'function',
  'node:crypto.getHashes': () => crypto.getHashes().includes('sha256'),
  'node:crypto.getRandomValues': () => crypto.getRandomValues(new Uint8Array(16)).some((x) => x !== 0),
  'node:crypto.pbkdf2Sync': () => crypto.pbkdf2Sync('a', 'b', 1, 8, 'sha256').length === 8,
  'node:crypto.scryptSync': () => crypto.scryptSync('a', 'b', 8, { N: 2 }).length === 8,
  'node:crypto.randomBytes': () => crypto.randomBytes(8).length === 8,
  'node:crypto.randomFillSync': () => crypto.randomFillSync(new Uint8Array(16)).some((x) => x !== 0),
  'node:crypto.randomInt': () => { const x = crypto.randomInt(5); return x >= 0 && x < 5; },
  'node:crypto.randomUUID': () => crypto.randomUUID().length === 36,
  'node:crypto.timingSafeEqual': () => crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')),
  'node:crypto.webcrypto': async () => (await crypto.webcrypto.subtle.digest('SHA-1', new Uint8Array())).byteLength === 20,
  'node:events': () => { const e = new EventEmitter(); let n = 0; e.once('x', (k) => { n += k; }); e.emit('x', 2); e.emit('x', 2); return n === 2; },
  'node:fs.readFileSync': () => fs.readFileSync(FILE, 'utf8') === 'hello',
  'node:fs.existsSync': () => fs.existsSync(FILE),
  'node:fs.statSync': () => fs.statSync(FILE).size === 5,
  'node:fs.readdirSync': () => fs.readdirSync(path.dirname(FILE)).includes('hello.txt'),
  'node:fs.readFile': () => new Promise((done, fail) => fs.readFile(FILE, 'utf8', (error, text) => (error ? fail(error) : done(text === 'hello')))),
  'node:fs.promises': async () => (await fs.promises.readFile(FILE, 'utf8')) === 'hello',
  'node:fs.createReadStream': async () => (await all(fs.createReadStream(FILE))) === 'hello',
  'node:fs/promises': async () => (await fsp.readFile(FILE, 'utf8')) === 'hello' && (await fsp.stat(FILE)).size === 5,
  'node:fs/promises.readFile': async () => (await fsp.readFile(FILE, 'utf8')) === 'hello',
  'node:fs/promises.stat': async () => (await fsp.stat(FILE)).size === 5,
  'node:fs/promises.readdir': async () => (await fsp.readdir(path.dirname(FILE))).includes('hello.txt'),
  'node:http.STATUS_CODES': () => http.STATUS_CODES[404] === 'Not Found',
  'node:http.METHODS': () => http.METHODS.includes('GET'),
  'node:http.request': () => new Promise((done) => { const r = http.request('http://127.0.0.1:1/', () => done(true)); r.on('error', () => done(true)); r.end(); }),
  'node:net.isIP': () => net.isIP('::1') === 6 && net.isIP('1.2.3.4') === 4 && net.isIP('x') === 0,
  'node:net.isIPv4': () => net.isIPv4('1.2.3.4') && !net.isIPv4('1.2.3'),
  'node:net.isIPv6': () => net.isIPv6('::1') && !net.isIPv6('1.2.3.4'),
  'node:os.EOL': () => os.EOL === '\n',
  'node:os.platform': () => typeof os.platform() === 'string',
  'node:path': () => path.join('a', '..', 'b/c') === 'b/c' && path.extname('a.b.c') === '.c' && path.resolve('/a', 'b') === '/a/b',
  'node:path/posix': () => path.posix.basename('/a/b') === 'b',
  'node:path/win32': () => path.win32.join('a', 'b') === 'a\\b',
  'node:perf_hooks.performance': () => perf.performance.now() >= 0,
  'node:punycode': () => punycode.encode('ü') === 'tda',
  'node:querystring': () => querystring.parse('a=1&a=2').a.length === 2 && querystring.stringify({ a: 'b c' }) === 'a=b%20c',
  'node:stream': async () => { const t = new stream.Transform({ transform(c, _, done) { done(null, String(c).toUpperCase()); } }); t.end('ab'); return (await all(t)) === 'AB'; },
  'node:stream/consumers': async () => (await consumers.text(stream.Readable.from([Buffer.from('ab')]))) === 'ab',
  'node:stream/promises': async () => { let got = ''; await pipelines.pipeline(stream.Readable.from(['a', 'b']), new stream.Writable({ objectMode: true, write(c, _, done) { got += c; done(); } })); return got === 'ab'; },
  'node:stream/web': () => webstreams.ReadableStream !== undefined && new webstreams.TransformStream().readable !== undefined,
  'node:string_decoder': () => { const d = new decoding.StringDecoder('utf8'); return d.write(Buffer.from([0xc3])) + d.write(Buffer.from([0xa9])) === 'é'; },
  'node:timers': () => new Promise((done) => timers.setTimeout(() => done(true), 1)),
  'node:timers/promises': async () => (await later.setTimeout(1, 'x')) === 'x',
  'node:url': () => nodeUrl.parse('http://a/b?c=d').pathname === '/b' && nodeUrl.fileURLToPath('file:///a') === '/a',
  'node:util': async () => util.inspect({ a: [1] }) === '{ a: [ 1 ] }' && util.format('%s %d', 'a', 1) === 'a 1' && (await util.promisify((x, done) => done(null, x))(3)) === 3 && util.isDeepStrictEqual({ a: 1 }, { a: 1 }),
  'node:util/types': () => util.types.isDate(new Date()) && !util.types.isDate({}),
  'node:zlib': () => zlib.gunzipSync(zlib.gzipSync('hello')).toString() === 'hello',
  'node:process.env': () => typeof nodeProcess.env === 'object',
  'node:process.nextTick': () => new Promise((done) => nodeProcess.nextTick(() => done(true))),
  'node:process.hrtime': () => nodeProcess.hrtime().length === 2 && typeof nodeProcess.hrtime.bigint() === 'bigint',
  'node:process.platform': () => typeof nodeProcess.platform === 'string',
  'node:process.version': () => /^v\d+/.test(nodeProcess.version),
  'node:process.versions': () => typeof nodeProcess.versions.node === 'string',
  'node:process.argv': () => Array.isArray(nodeProcess.argv),
  'process.env': () => process.env.PROBE === 'set',
  'process.nextTick': () => new Promise((done) => process.nextTick(() => done(true))),
  'process.hrtime': () => process.hrtime().length === 2,
  'process.argv': () => Array.isArray(process.argv),
  'process.cwd': () => process.cwd().startsWith('/'),
  'process.platform': () => typeof process.platform === 'string',
  'process.version': () => /^v\d+/.test(process.version),
  'process.versions': () => typeof process.versions.node === 'string',
  'process.memoryUsage': () => process.memoryUsage().heapUsed > 0,
  'process.uptime': () => process.uptime() > 0,
  'process.on': () => { let n = 0; process.on('probe', () => n++); process.emit('probe'); return n === 1; },
  'process.stdout': () => typeof process.stdout.write === 'function',
};

// Members that are plain values: of the type they have in Node.
const values = { arch: 'string', argv0: 'string', config: 'object', execArgv: 'object', features: 'object', pid: 'number', release: 'object', title: 'string', exit: 'function', abort: 'function', cpuUsage: 'function', emit: 'function', emitWarning: 'function', listenerCount: 'function', listeners: 'function', off: 'function', once: 'function', addListener: 'function', removeListener: 'function', removeAllListeners: 'function', prependListener: 'function', resourceUsage: 'function', stderr: 'object' };
for (const [name, type] of Object.entries(values)) probes[`process.${name}`] ??= () => typeof process[name] === type;
probes['process.env.NODE_ENV'] = () => ['string', 'undefined'].includes(typeof process.env.NODE_ENV);
Object.assign(probes, { 'node:crypto': probes['node:crypto.createHash'], 'node:fs': probes['node:fs.readFileSync'], 'node:assert/strict': probes['node:assert'], 'node:fs.stat': () => new Promise((done, fail) => fs.stat(FILE, (error, stat) => (error ? fail(error) : done(stat.size === 5)))), 'node:fs.lstatSync': () => fs.lstatSync(FILE).isFile(), 'node:fs.realpathSync': () => fs.realpathSync(FILE).endsWith('hello.txt'), 'node:fs.accessSync': () => fs.accessSync(FILE) === undefined, 'node:os': () => Array.isArray(os.cpus()), 'node:os.type': () => typeof os.type() === 'string', 'node:os.arch': () => typeof os.arch() === 'string', 'node:os.endianness': () => os.endianness() === 'LE', 'node:os.constants': () => os.constants.signals.SIGTERM === 15, 'node:perf_hooks': () => perf.performance.now() >= 0, 'node:timers': probes['node:timers'] });

/** Runs one probe: `yes`, `no`, or what it threw. */
export async function probe(name) {
  try {
    const late = new Promise((done) => setTimeout(() => done('no answer'), 2000));
    const outcome = await Promise.race([Promise.resolve(probes[name]()), late]);
    return outcome === true ? 'yes' : outcome === 'no answer' ? outcome : 'no';
  } catch (error) {
    return `threw ${String(error?.message ?? error).slice(0, 160)}`;
  }
}
