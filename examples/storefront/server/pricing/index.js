// /api/price: the Node implementation of what components/price does, kept as the fallback.

import express from 'express';
import { tables } from '../files.js';
import { Refusal } from '../refusal.js';
import * as ask from './ask.js';
import * as quote from './quote.js';

const BODY_LIMIT = 64 * 1024;

export const pricing = express.Router();

pricing.use(express.raw({ type: () => true, limit: BODY_LIMIT }), async (request, response) => {
  const sku = request.path.replace(/^\/+|\/+$/g, '');
  const query = new URL(request.url, 'http://shop').searchParams;
  const read = request.method === 'GET' || request.method === 'HEAD';
  if (sku) {
    if (!read) throw Refusal.method('GET, HEAD');
    const shop = await tables();
    response.json(quote.single(shop, ask.single(shop, sku, query)));
  } else if (read) {
    const shop = await tables();
    response.json(quote.list(shop, ask.place(shop, query)));
  } else if (request.method === 'POST') {
    const shop = await tables();
    response.json(quote.cart(shop, ask.cart(shop, request.body ?? Buffer.alloc(0))));
  } else {
    throw Refusal.method('GET, HEAD, POST');
  }
});

pricing.use((error, _request, _response, next) => {
  const large = error.type === 'entity.too.large';
  next(large ? new Refusal(413, 'too_large', `the body is over ${BODY_LIMIT} bytes`) : error);
});
