import { Hono } from 'hono';
import { nanoid } from 'nanoid';
import QRCode from 'qrcode';
import { similar } from './similar.js';
const app = new Hono();
const links = new Map();
app.post('/links', async (c) => {
  const { url } = await c.req.json();
  const id = nanoid(8);
  links.set(id, url);
  return c.json({ id });
});
app.get('/qr', async (c) => c.body(await QRCode.toString(c.req.query('text'), { type: 'svg' })));
app.get('/similar', (c) => c.json(similar(c.req.query('a'), c.req.query('b'))));
app.get('/evaluate', (c) => c.json(eval(c.req.query('expression'))));
app.get('/:id', (c) => c.redirect(links.get(c.req.param('id'))));
export default app;
