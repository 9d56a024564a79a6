// One product: its price for a quantity, and the description, which the server has already rendered and cleaned.

import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { api, type Head, type Line, money, type Product } from '../api';
import { useShop } from '../shop';
import { useFetched } from '../use';
import { Left } from './catalogue';

export function ProductPage() {
  const { sku = '' } = useParams();
  const { products } = useShop();
  const product = products.find((product) => product.sku === sku);
  if (!product) return <p className="notice">We have no such thing. <Link to="/">Back to the shop</Link></p>;
  return (
    <article className="product" key={sku}>
      <p className="back"><Link to="/">← All goods</Link></p>
      <div className={`picture ${product.category}`}>
        <img src={`/products/${sku}.svg`} alt="" width="200" height="160" />
      </div>
      <div className="about">
        <h1>{product.name}</h1>
        <p className="tagline">{product.tagline}</p>
        <Buy product={product} />
        <Description sku={sku} />
      </div>
    </article>
  );
}

function Buy({ product: { sku } }: { product: Product }) {
  const { place, left, cart, put } = useShop();
  const [qty, setQty] = useState(1);
  const [said, setSaid] = useState('');
  const price = useFetched((signal) => api.price(sku, qty, place, signal), [sku, qty, place.country, place.region]);
  const count = left(sku);
  const add = async () => {
    const inCart = cart.find((item) => item.sku === sku)?.qty ?? 0;
    await put(sku, Math.min(99, inCart + qty)).then(
      () => setSaid('In the cart.'),
      (error: Error) => setSaid(`Not added: ${error.message}.`),
    );
  };
  return (
    <section className="buy" aria-label="Buy">
      <div aria-live="polite" aria-busy={price.loading}>
        {price.value && <Price quote={price.value} />}
        {price.error && <p className="error">No price: {price.error.message}.</p>}
      </div>
      <p className="row">
        <label className="qty">
          Quantity
          <input
            type="number"
            min={1}
            max={99}
            value={qty}
            onChange={(event) => setQty(Math.max(1, Math.min(99, Math.floor(event.target.valueAsNumber) || 1)))}
          />
        </label>
        <button type="button" className="primary" disabled={count === 0} onClick={add}>Add to cart</button>
        <Left count={count} />
      </p>
      <p role="status" className="said">{said}{said === 'In the cart.' && <> <Link to="/cart">Go there</Link></>}</p>
    </section>
  );
}

function Price({ quote }: { quote: Head & Line }) {
  const { display, currency, taxName, rate, gross, net, tax, discount } = quote;
  const shown = display === 'gross' ? gross : net;
  const vat = display === 'gross' ? `incl. ${rate} % ${taxName} (${money(tax, currency)})` : `plus ${money(tax, currency)} ${taxName}`;
  return (
    <>
      <p className="price big">{money(shown, currency)}</p>
      <p className="fine">
        {tax === 0 ? `no ${taxName} on this` : vat}
        {discount > 0 && <> · <span className="saved">{money(discount, currency)} off for the quantity</span></>}
      </p>
      <p className="fine">5 or more: 5 % off. 10 or more: 10 % off.</p>
    </>
  );
}

function Description({ sku }: { sku: string }) {
  const html = useFetched((signal) => api.description(sku, signal), [sku]);
  if (html.error) return <p className="error">The description is missing: {html.error.message}.</p>;
  return <div className="description" aria-busy={html.loading} dangerouslySetInnerHTML={{ __html: html.value ?? '' }} />;
}
