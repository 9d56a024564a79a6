import Koa from 'koa';
import Router from '@koa/router';
import { Worker } from 'node:worker_threads';
import { readFile } from 'node:fs/promises';
import pako from 'pako';
import { checksum } from './checksum.js';
const app = new Koa();
const router = new Router();
const visits = new Map();
app.use(async (ctx, next) => {
  visits.set(ctx.path, (visits.get(ctx.path) ?? 0) + 1);
  await next();
});
router.get('/file/:name', async (ctx) => {
  ctx.body = await readFile(`files/${ctx.params.name}`);
});
router.post('/deflate', async (ctx) => {
  ctx.body = Buffer.from(pako.deflate(ctx.request.rawBody));
});
router.post('/checksum', async (ctx) => {
  ctx.body = { crc: checksum(ctx.request.rawBody) };
});
router.post('/job', async (ctx) => {
  const worker = new Worker('./job.js', { workerData: ctx.request.rawBody });
  ctx.body = await new Promise((resolve) => worker.once('message', resolve));
});
app.use(router.routes());
app.listen(3000);
