// The catalogue: all products with the prices of the shopper's country and what is left.

import { useState } from 'react';
import { Link } from 'react-router';
import { money, type Product } from '../api';
import { useShop } from '../shop';

const KINDS = { all: 'Everything', general: 'Aboard & ashore', clothing: 'To wear', book: 'To read' } as const;

export function Catalogue() {
  const { products } = useShop();
  const [kind, setKind] = useState<keyof typeof KINDS>('all');
  const shown = products.filter((product) => kind === 'all' || product.category === kind);
  return (
    <>
      <section className="hero">
        <h1>Small goods for people near water</h1>
        <p>Twelve things that are made to be used, mended and handed on. Prices show the tax of where you live.</p>
      </section>
      <div className="chips" role="group" aria-label="Show">
        {Object.entries(KINDS).map(([key, name]) => (
          <button key={key} type="button" aria-pressed={kind === key} onClick={() => setKind(key as keyof typeof KINDS)}>
            {name}
          </button>
        ))}
      </div>
      <ul className="grid">
        {shown.map((product) => <Card key={product.sku} product={product} />)}
      </ul>
    </>
  );
}

function Card({ product }: { product: Product }) {
  const { head, prices, left } = useShop();
  const line = prices[product.sku];
  return (
    <li className="card">
      <Link to={`/product/${product.sku}`}>
        <div className={`picture ${product.category}`}>
          <img src={`/products/${product.sku}.svg`} alt="" loading="lazy" width="200" height="160" />
        </div>
        <h2>{product.name}</h2>
      </Link>
      <p className="tagline">{product.tagline}</p>
      <p className="row">
        <strong className="price">
          {head && line ? money(head.display === 'gross' ? line.gross : line.net, head.currency) : '\u2007'}
        </strong>
        <Left count={left(product.sku)} />
      </p>
    </li>
  );
}

export function Left({ count }: { count: number }) {
  if (count === 0) return <span className="left none">sold out</span>;
  return <span key={count} className={count < 8 ? 'left few' : 'left'}>{count} left</span>;
}
