// The shop's HTTP API as the browser sees it. Which of these answers come from a component, and which from Node, is
// decided by coracle.toml; nothing here can tell.

export interface Product {
  sku: string;
  name: string;
  category: 'general' | 'clothing' | 'book';
  tagline: string;
  stock: number;
}

export interface Country {
  code: string;
  name: string;
  regions: { code: string; name: string }[];
}

export interface Place {
  country: string;
  region: string | null;
}

/** Amounts are in minor units. */
export interface Line {
  sku: string;
  qty: number;
  unit: number;
  list: number;
  discount: number;
  net: number;
  rate: number;
  tax: number;
  gross: number;
}

export interface Head extends Place {
  currency: string;
  taxName: string;
  display: 'gross' | 'net';
}

export interface Share {
  rate: number;
  base: number;
  tax: number;
}

export interface Total extends Head {
  lines: Line[];
  code: { code: string; amount: number } | null;
  list: number;
  discount: number;
  shipping: Share;
  net: number;
  taxes: Share[];
  tax: number;
  total: number;
}

export interface Order extends Total {
  id: string;
  at: string;
}

export interface CartItem {
  sku: string;
  qty: number;
}

export interface Sale {
  id: number;
  place: string;
  items: CartItem[];
}

/** What the API refused, and why, in words for the shopper. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

async function call(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(path, init);
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  const { code = 'unavailable', message = 'the shop does not answer, please try again' } = problem?.error ?? {};
  throw new Refused(code, message);
}

async function json<T>(path: string, method = 'GET', body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method, signal };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  return (await call(path, init)).json();
}

function query(values: Record<string, string | number | null>): string {
  const given = Object.entries(values).filter(([, value]) => value !== null);
  return new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
}

export const api = {
  catalogue: () => json<{ products: Product[]; countries: Country[] }>('/api/catalogue'),
  prices: (place: Place, signal: AbortSignal) =>
    json<Head & { prices: Line[] }>(`/api/price?${query({ ...place })}`, 'GET', undefined, signal),
  price: (sku: string, qty: number, place: Place, signal: AbortSignal) =>
    json<Head & Line>(`/api/price/${sku}?${query({ qty, ...place })}`, 'GET', undefined, signal),
  total: (cart: Place & { items: CartItem[]; code: string | null }, signal: AbortSignal) =>
    json<Total>('/api/price', 'POST', cart, signal),
  description: async (sku: string, signal: AbortSignal) => (await call(`/api/describe/${sku}`, { signal })).text(),
  cart: () => json<{ items: CartItem[] }>('/api/cart'),
  put: (sku: string, qty: number) => json<{ items: CartItem[] }>(`/api/cart/${sku}`, 'PUT', { qty }),
  order: (order: Place & { code: string | null; total: number }) => json<Order>('/api/orders', 'POST', order),
  orders: () => json<{ orders: Order[] }>('/api/orders'),
};

export function money(minor: number, currency: string): string {
  const format = new Intl.NumberFormat(undefined, { style: 'currency', currency });
  return format.format(minor / 100);
}
