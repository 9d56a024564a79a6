// How much is left of each product, and who wants to know: socket.io for the stock, server-sent events for the feed of
// orders. Other shoppers are played by a timer (STOCK_TICK_MS, 0 turns it off). Kept in memory: a restart restocks.

import { EventEmitter } from 'node:events';

const FEED = 20;
const HEARTBEAT_MS = 15_000;

export class Stock extends EventEmitter {
  #left;
  #full;
  #feed = [];
  #next = 1;

  constructor(products) {
    super();
    this.#full = new Map(products.map(({ sku, stock }) => [sku, stock]));
    this.#left = new Map(this.#full);
  }

  all() {
    return Object.fromEntries(this.#left);
  }

  left(sku) {
    return this.#left.get(sku) ?? 0;
  }

  /** Takes all items or none. Returns the first sku of which there are too few. */
  take(items, place) {
    const short = items.find(({ sku, qty }) => this.left(sku) < qty);
    if (short) return short.sku;
    for (const { sku, qty } of items) this.#set(sku, this.left(sku) - qty);
    const event = { id: this.#next++, at: new Date().toISOString(), place, items };
    this.#feed = [...this.#feed.slice(1 - FEED), event];
    this.emit('order', event);
    return null;
  }

  /** The orders after the one with this id. */
  since(id) {
    return this.#feed.filter((event) => event.id > id);
  }

  /** Someone buys one of something; what is sold out comes back. */
  tick(chance, places) {
    const skus = [...this.#full.keys()];
    const sku = skus[Math.floor(chance() * skus.length)];
    if (this.left(sku) === 0) this.#set(sku, this.#full.get(sku));
    else this.take([{ sku, qty: 1 }], places[Math.floor(chance() * places.length)]);
  }

  #set(sku, left) {
    this.#left.set(sku, left);
    this.emit('stock', { sku, left });
  }
}

/** Everyone gets `stock` events, and the whole stock on connecting; `watch` answers for one product. */
export function tell(io, stock) {
  stock.on('stock', (change) => io.emit('stock', change));
  io.on('connection', (socket) => {
    socket.emit('stock:all', stock.all());
    socket.on('watch', (sku, answer) => {
      if (typeof answer === 'function') answer({ sku, left: stock.left(sku) });
    });
  });
}

/** GET /events: the last orders, then each new one; a client that comes back says what it has seen. */
export function events(stock) {
  return (request, response) => {
    response.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    response.flushHeaders();
    const send = (order) => response.write(`id: ${order.id}\nevent: order\ndata: ${JSON.stringify(order)}\n\n`);
    response.write('retry: 2000\n\n');
    stock.since(Number(request.get('last-event-id')) || 0).forEach(send);
    const beat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS);
    stock.on('order', send);
    response.on('close', () => {
      clearInterval(beat);
      stock.off('order', send);
    });
  };
}
