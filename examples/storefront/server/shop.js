// Carts and orders, by session. A session begins when something is put into the cart, lives in memory and is named by a
// cookie; the oldest go when there are too many. Orders are priced here, never by what the browser says.

import { randomUUID } from 'node:crypto';
import express from 'express';
import { tables } from './files.js';
import * as ask from './pricing/ask.js';
import * as quote from './pricing/quote.js';
import { Refusal } from './refusal.js';

const COOKIE = 'sid';
const SESSIONS = 10_000;
const sessions = new Map();

export function shop(stock) {
  const routes = express.Router();
  routes.use(express.json({ limit: '16kb' }));

  routes.get('/catalogue', async (_request, response) => {
    const { products, countries } = await tables();
    const left = stock.all();
    response.json({
      products: products.map(({ price: _, ...product }) => ({ ...product, stock: left[product.sku] })),
      countries: Object.entries(countries).map(([code, { name, regions }]) => ({
        code,
        name,
        regions: Object.entries(regions ?? {}).map(([code, { name }]) => ({ code, name })),
      })),
    });
  });

  routes.get('/cart', (request, response) => {
    response.json({ items: items(find(request)) });
  });

  routes.put('/cart/:sku', async (request, response) => {
    const { sku } = request.params;
    const qty = request.body?.qty;
    if (!Number.isInteger(qty) || qty < 0 || qty > 99) {
      throw Refusal.bad('bad_quantity', 'qty', 'qty must be a whole number from 0 to 99');
    }
    const { products } = await tables();
    if (!products.some((product) => product.sku === sku)) {
      throw new Refusal(404, 'unknown_sku', `there is no product "${sku}"`);
    }
    const session = find(request) ?? begin(response);
    if (qty === 0) session.cart.delete(sku);
    else session.cart.set(sku, qty);
    response.json({ items: items(session) });
  });

  routes.get('/orders', (request, response) => {
    response.json({ orders: find(request)?.orders ?? [] });
  });

  routes.post('/orders', async (request, response) => {
    const session = find(request);
    if (!session?.cart.size) throw new Refusal(409, 'empty_cart', 'the cart is empty');
    const order = await placed(stock, session, request.body ?? {});
    response.status(201).json(order);
  });
  return routes;
}

async function placed(stock, session, { country, region, code, total }) {
  const wanted = items(session);
  const shop = await tables();
  const asked = ask.cart(shop, Buffer.from(JSON.stringify({ country, region, code, items: wanted })));
  const priced = quote.cart(shop, asked);
  if (total !== priced.total) throw new Refusal(409, 'price_changed', 'the price has changed, please look again');
  const short = stock.take(wanted, asked.place.country.name);
  if (short) throw new Refusal(409, 'sold_out', `there are only ${stock.left(short)} left of ${short}`, short);
  const order = { id: randomUUID().slice(0, 8), at: new Date().toISOString(), ...priced };
  session.orders.unshift(order);
  session.cart.clear();
  return order;
}

const items = (session) => [...(session?.cart ?? [])].map(([sku, qty]) => ({ sku, qty }));

function find(request) {
  const cookies = (request.get('cookie') ?? '').split(/; */).map((pair) => pair.split('='));
  return sessions.get(cookies.find(([name]) => name === COOKIE)?.[1]);
}

function begin(response) {
  const id = randomUUID();
  const session = { cart: new Map(), orders: [] };
  sessions.set(id, session);
  if (sessions.size > SESSIONS) sessions.delete(sessions.keys().next().value);
  response.cookie(COOKIE, id, { httpOnly: true, sameSite: 'lax', maxAge: 30 * 24 * 3600 * 1000 });
  return session;
}
