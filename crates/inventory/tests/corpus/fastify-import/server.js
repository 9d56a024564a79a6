import Fastify from 'fastify';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { importCsv, importXml } from './importers.js';
const app = Fastify();
const run = promisify(execFile);
app.post('/csv', async (request) => importCsv(request.body));
app.post('/xml', async (request) => importXml(request.body));
app.post('/convert', async (request) => {
  const { stdout } = await run('libreoffice', ['--convert-to', 'csv', request.body.path]);
  return stdout;
});
app.get('/version', async () => ({ version: '1.0' }));
app.listen({ port: 3000 });
