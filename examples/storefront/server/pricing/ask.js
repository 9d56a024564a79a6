// What a client asks of the price API, checked. The sentences are the same as those of the component
// (components/price/src/ask.rs): `npm run parity` compares them.

import { Refusal } from '../refusal.js';

const MAX_QTY = 999;
const MAX_ITEMS = 50;
const own = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);
const upper = (text) => text.replace(/[a-z]/g, (letter) => letter.toUpperCase());
const text = (value) => (typeof value === 'string' ? value : '');

/** `?country=&region=` */
export function place(tables, query) {
  return placeOf(tables, query.get('country') ?? '', query.get('region') ?? '');
}

/** `/api/price/:sku?qty=&country=&region=` */
export function single(tables, sku, query) {
  const product = tables.products.find((product) => product.sku === sku);
  if (!product) throw new Refusal(404, 'unknown_sku', `there is no product "${sku}"`);
  const where = place(tables, query);
  const typed = query.get('qty') ?? '1';
  const qty = quantity(/^[0-9]{1,3}$/.test(typed) ? Number(typed) : null, 'qty');
  return { place: where, items: [{ product, qty }], code: null };
}

/** `{ "country": "DE", "region": null, "code": null, "items": [{ "sku": "rope-mat", "qty": 2 }] }` */
export function cart(tables, bytes) {
  const body = parse(bytes);
  const where = placeOf(tables, text(body.country), text(body.region));
  const asked = body.items;
  if (!Array.isArray(asked) || asked.length < 1 || asked.length > MAX_ITEMS) {
    throw Refusal.bad('bad_items', 'items', `items must be a list of 1 to ${MAX_ITEMS} items`);
  }
  const items = asked.map((item, index) => {
    const sku = text(item?.sku);
    const product = tables.products.find((product) => product.sku === sku);
    if (!product) throw Refusal.bad('unknown_sku', `items[${index}].sku`, `there is no product "${sku}"`);
    return { product, qty: quantity(item.qty, `items[${index}].qty`) };
  });
  return { place: where, items, code: codeOf(tables, text(body.code).trim()) };
}

function parse(bytes) {
  const bad = new Refusal(400, 'bad_json', 'the body is not a JSON object');
  let body;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw bad;
  }
  if (body === null || typeof body !== 'object' || Array.isArray(body)) throw bad;
  return body;
}

function codeOf(tables, typed) {
  if (!typed) return null;
  const offer = own(tables.offers.codes, upper(typed));
  if (!offer) throw Refusal.bad('unknown_code', 'code', `there is no discount code "${typed}"`);
  return { name: upper(typed), offer };
}

function placeOf(tables, typed, region) {
  const bad = (message) => Refusal.bad('bad_country', 'country', message);
  if (!typed) throw bad('country is missing, for example country=DE');
  const name = upper(typed);
  const country = own(tables.countries, name);
  if (!country) throw bad(`we do not ship to "${typed}"`);
  return regionOf(name, country, region);
}

function regionOf(name, country, typed) {
  if (country.rate !== undefined) {
    return { name, country, region: null, rate: country.rate, special: country.special ?? {} };
  }
  const bad = (message) => Refusal.bad('bad_region', 'region', message);
  if (!typed) throw bad(`${name} needs a region, for example region=NY`);
  const region = own(country.regions, upper(typed));
  if (!region) throw bad(`${name} has no region "${typed}"`);
  return { name, country, region: upper(typed), rate: region.rate, special: region.special ?? {} };
}

function quantity(qty, field) {
  if (Number.isInteger(qty) && qty >= 1 && qty <= MAX_QTY) return qty;
  throw Refusal.bad('bad_quantity', field, `qty must be a whole number from 1 to ${MAX_QTY}`);
}
