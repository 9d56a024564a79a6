// The shop's Express server. Complete without Coracle (`npm start` after `npm run build`): it still serves the front
// end, prices and descriptions, which with Coracle in front come from files and components. PORT says where it listens
// (0: any free port); it prints the address, and on SIGTERM finishes what it has begun.

import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { Server as SocketServer } from 'socket.io';
import { describe, sources } from './describe.js';
import { tables } from './files.js';
import { pricing } from './pricing/index.js';
import { Refusal } from './refusal.js';
import { shop } from './shop.js';
import { events, Stock, tell } from './stock.js';

const DIST = fileURLToPath(new URL('../web/dist', import.meta.url));
const { products, countries } = await tables();
const stock = new Stock(products);

const app = express();
app.disable('x-powered-by');
app.set('trust proxy', 'loopback');
app.get('/healthz', (_request, response) => void response.type('text').send('ok\n'));
app.get('/events', events(stock));
app.use('/catalogue', sources);
app.use('/api/price', pricing);
app.use('/api/describe', describe);
app.use('/api', shop(stock));
app.use('/api', () => {
  throw Refusal.noSuchPage();
});
if (existsSync(DIST)) {
  app.use(express.static(DIST));
  app.get('/{*page}', (_request, response) => response.sendFile('index.html', { root: DIST }));
}
app.use((error, _request, response, next) => {
  if (response.headersSent) return next(error);
  if (error instanceof Refusal) return error.send(response);
  if (error.status >= 400 && error.status < 500) {
    return new Refusal(error.status, 'bad_request', error.message).send(response);
  }
  console.error(error);
  return new Refusal(500, 'internal', 'something went wrong').send(response);
});

const server = createServer(app);
const io = new SocketServer(server, { serveClient: false });
tell(io, stock);
const tick = Number(process.env.STOCK_TICK_MS ?? 4000);
const names = Object.values(countries).map((country) => country.name);
const timer = tick > 0 ? setInterval(() => stock.tick(Math.random, names), tick) : null;

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`the shop's server listens on http://127.0.0.1:${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    clearInterval(timer);
    io.close(() => process.exit(0)); // closes the HTTP server too
    server.closeIdleConnections();
    // event streams would never end by themselves
    setTimeout(() => server.closeAllConnections(), 1000).unref();
  });
}
