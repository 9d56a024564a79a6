// Reads the shop's data: the pricing tables and the descriptions that the buyers edit. Always from the disk, so that an
// edit shows at the next request; the price component reads the same files through its grant.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const data = (name) => fileURLToPath(new URL(`../data/${name}`, import.meta.url));
const table = async (name) => JSON.parse(await readFile(data(`pricing/${name}.json`), 'utf8'));

/** @returns {Promise<{ products: object[], offers: object, countries: object }>} */
export async function tables() {
  const [catalogue, offers, tax] = await Promise.all(['catalogue', 'offers', 'tax'].map(table));
  return { products: catalogue.products, offers, countries: tax.countries };
}

/** The markdown of a product, or null. */
export async function description(sku) {
  if (!/^[a-z0-9-]{1,64}$/.test(sku)) return null;
  return readFile(data(`descriptions/${sku}.md`), 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
