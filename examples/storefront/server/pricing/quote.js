// From a checked question to amounts: whole minor units, half up, discounts spread over the lines so that no cent is
// lost. This is the code that components/price/src/quote.rs replaced; it stays as the fallback and for the orders.

import { Refusal } from '../refusal.js';

const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);

/** Every product, one of each. */
export function list(tables, place) {
  const each = (product) => taxed(place, line(tables, place, { product, qty: 1 }), product).line;
  return { ...head(place), prices: tables.products.map(each) };
}

export function single(tables, { place, items: [item] }) {
  return { ...head(place), ...taxed(place, line(tables, place, item), item.product).line };
}

/** A whole cart, with its code and shipping. */
export function cart(tables, { place, items, code }) {
  let lines = items.map((item) => line(tables, place, item));
  const used = code && { code: code.name, amount: worth(code, place, sum(lines, (line) => line.net)) };
  if (used) {
    const parts = spread(used.amount, lines.map((line) => line.net));
    lines = lines.map((line, i) => ({ ...line, discount: line.discount + parts[i], net: line.net - parts[i] }));
  }
  const done = lines.map((line, i) => taxed(place, line, items[i].product));
  lines = done.map((each) => each.line);
  const goods = sum(lines, (line) => line.net);
  const shipping = shippingOf(tables, place, goods);
  const taxes = byRate([...done.flatMap((each) => each.shares), shipping]);
  const net = goods + shipping.base;
  const tax = sum(taxes, (share) => share.tax);
  return {
    ...head(place),
    lines,
    code: used,
    list: sum(lines, (line) => line.list),
    discount: sum(lines, (line) => line.discount),
    shipping,
    net,
    taxes,
    tax,
    total: net + tax,
  };
}

function head({ name, country, region }) {
  const { currency, taxName, display } = country;
  return { country: name, region, currency, taxName, display };
}

/** A line with its quantity break, not taxed yet. */
function line({ offers }, { country }, { product, qty }) {
  const unit = product.price[country.currency] ?? 0;
  const list = unit * qty;
  const found = offers.quantityBreaks.find((offer) => qty >= offer.from);
  const discount = found ? percent(list, found.percent) : 0;
  return { sku: product.sku, qty, unit, list, discount, net: list - discount };
}

function taxed(place, line, { category }) {
  const { net, qty } = line;
  const special = place.special[category];
  let reduced = special ? net : 0;
  if (special?.below !== undefined) reduced = net >= special.below * qty ? 0 : net;
  else if (special?.first !== undefined) reduced = Math.min(net, special.first * qty);
  const specialRate = special?.rate ?? place.rate;
  const shares = [[specialRate, reduced], [place.rate, net - reduced]]
    .filter(([, base]) => base > 0)
    .map(([rate, base]) => ({ rate, base, tax: percent(base, rate) }));
  const tax = sum(shares, (share) => share.tax);
  const rate = reduced === net ? specialRate : place.rate;
  return { line: { ...line, rate, tax, gross: net + tax }, shares };
}

/** What a code takes off goods of this net worth. */
function worth({ name, offer }, { country: { currency } }, goods) {
  const minimum = offer.minimum[currency] ?? 0;
  if (goods < minimum) {
    const needed = `${Math.floor(minimum / 100)}.${String(minimum % 100).padStart(2, '0')}`;
    throw Refusal.bad('code_minimum', 'code', `${name} needs goods for ${needed} ${currency} before tax`);
  }
  const amount = offer.percent === undefined ? (offer.amount?.[currency] ?? 0) : percent(goods, offer.percent);
  return Math.min(amount, goods);
}

function shippingOf({ offers }, place, goods) {
  const offer = offers.shipping[place.country.zone];
  const base = goods >= offer.freeFrom ? 0 : offer.net;
  const rate = offer.taxed ? place.rate : 0;
  return { rate, base, tax: percent(base, rate) };
}

/** Summed by rate, the highest first. */
function byRate(shares) {
  const sums = new Map();
  for (const { rate, base, tax } of shares.filter((share) => share.base > 0)) {
    const before = sums.get(rate) ?? { rate, base: 0, tax: 0 };
    sums.set(rate, { rate, base: before.base + base, tax: before.tax + tax });
  }
  return [...sums.values()].sort((a, b) => b.rate - a.rate);
}

/** `rate` percent of `amount`, half up. Exact: rates have at most four decimals, carts are below 2^53. */
function percent(amount, rate) {
  return Math.floor((amount * Math.round(rate * 10_000) + 500_000) / 1_000_000);
}

/** Splits an amount by weight: whole parts, then one cent each to the largest remainders, the earlier line first. */
function spread(amount, weights) {
  const whole = Math.max(1, sum(weights, (weight) => weight));
  const parts = weights.map((weight) => Math.floor((amount * weight) / whole));
  const rest = weights.map((weight) => (amount * weight) % whole);
  const order = weights.map((_, i) => i).sort((a, b) => rest[b] - rest[a]);
  const left = amount - sum(parts, (part) => part);
  for (const i of order.slice(0, left)) parts[i] += 1;
  return parts;
}
