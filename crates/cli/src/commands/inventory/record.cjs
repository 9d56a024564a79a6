// Loaded into each Node.js process of a recorded app: CPU profile, exact call counts, sampled allocations, and what came
// in and went out over HTTP. An app that listens is recorded from then on: what it does once, before, is no part of serving.
// Writes at exit; makes an app without a handler of its own exit on SIGTERM and SIGINT.
'use strict';
const dir = process.env.CORACLE_RECORD;
const main = process.argv[1] ?? '';
// Package managers start the app, they are not the app.
if (dir && require('node:worker_threads').isMainThread && !/[\\/](npm|npx|pnpm|yarn|corepack)(-cli)?(\.c?js)?$/.test(main)) {
  const fs = require('node:fs');
  const path = require('node:path');
  const { Session } = require('node:inspector');
  const channel = require('node:diagnostics_channel');
  const session = new Session();
  session.connect();
  const post = (method, params) => {
    let result;
    session.post(method, params, (error, value) => { result = error ? undefined : value; });
    return result;
  };
  // Time of the main thread on a CPU, in µs; only Linux tells.
  const onCpu = () => {
    try {
      return Number(fs.readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1000;
    } catch {
      return NaN;
    }
  };
  let begunOnCpu = NaN;
  const begin = () => {
    post('HeapProfiler.startSampling', { samplingInterval: 65536 });
    post('Profiler.start');
    begunOnCpu = onCpu();
  };
  post('Profiler.enable');
  post('Profiler.setSamplingInterval', { interval: 500 });
  // Without details, an async function counts once more for each await.
  post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  begin();

  const requests = new Map();
  const begun = new WeakMap();
  channel.subscribe('http.server.request.start', ({ request, socket }) => {
    begun.set(request, socket.bytesWritten);
  });
  channel.subscribe('http.server.response.finish', ({ request, response, socket }) => {
    const written = begun.get(request) ?? 0;
    const sample = {
      method: request.method,
      url: (request.originalUrl ?? request.url).slice(0, 500),
      status: response.statusCode,
      bytesIn: request.url.length + Number(request.headers['content-length'] ?? 0),
      bytesOut: Math.max(0, socket.bytesWritten - written),
    };
    const key = `${sample.method} ${sample.url.split('?')[0]}`;
    const known = requests.get(key);
    if (known) {
      known.count += 1;
      known.bytesIn += sample.bytesIn;
      known.bytesOut += sample.bytesOut;
      if (known.samples.length < 5) known.samples.push(sample);
    } else if (requests.size < 2000) {
      requests.set(key, { key, count: 1, bytesIn: sample.bytesIn, bytesOut: sample.bytesOut, samples: [sample] });
    }
  });

  const net = require('node:net');
  const emit = net.Server.prototype.emit;
  net.Server.prototype.emit = function (event, ...rest) {
    if (event === 'listening') {
      const at = this.address();
      if (at && typeof at === 'object') {
        const any = at.address === '::' || at.address === '0.0.0.0';
        const host = any ? '127.0.0.1' : at.family === 'IPv6' ? `[${at.address}]` : at.address;
        const file = path.join(dir, 'url');
        if (!fs.existsSync(file)) {
          post('Profiler.stop');
          post('HeapProfiler.stopSampling');
          // Counts begin at nothing again whenever they are taken.
          post('Profiler.takePreciseCoverage');
          begin();
          fs.writeFileSync(`${file}.new`, `http://${host}:${at.port}`);
          fs.renameSync(`${file}.new`, file);
        }
      }
    }
    return emit.call(this, event, ...rest);
  };

  process.once('exit', () => {
    const name = path.join(dir, String(process.pid));
    const profile = post('Profiler.stop')?.profile;
    const coverage = post('Profiler.takePreciseCoverage')?.result;
    const heap = post('HeapProfiler.stopSampling')?.profile;
    const onCpuUs = onCpu() - begunOnCpu;
    if (profile && onCpuUs > 0) profile.coracle = { onCpuUs };
    if (profile) fs.writeFileSync(`${name}.cpuprofile`, JSON.stringify(profile));
    if (heap) fs.writeFileSync(`${name}.heapprofile`, JSON.stringify(heap));
    if (coverage) {
      fs.mkdirSync(path.join(dir, 'coverage'), { recursive: true });
      fs.writeFileSync(path.join(dir, 'coverage', `coverage-${process.pid}.json`), JSON.stringify({ result: coverage }));
    }
    fs.writeFileSync(`${name}.requests.json`, JSON.stringify([...requests.values()]));
  });
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(0);
    });
  }
}
