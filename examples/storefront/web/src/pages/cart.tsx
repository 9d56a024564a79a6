// The cart: quantities, a discount code, and what it comes to with shipping and tax.

import { type FormEvent, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { api, type Line, money, Refused, type Total } from '../api';
import { useShop } from '../shop';
import { useFetched } from '../use';

export function Cart() {
  const { cart, place } = useShop();
  const [code, setCode] = useState<string | null>(null);
  const items = JSON.stringify(cart);
  const quote = useFetched(
    async (signal) => (cart.length ? api.total({ ...place, items: cart, code }, signal) : null),
    [items, code, place.country, place.region],
  );
  if (cart.length === 0) {
    return <p className="notice">Your cart is empty. <Link to="/">See what we have</Link></p>;
  }
  const badCode = quote.error instanceof Refused && quote.error.code.includes('code') ? quote.error : null;
  return (
    <div className="cart">
      <h1>Your cart</h1>
      <Lines total={quote.value} />
      <aside aria-label="Total" aria-busy={quote.loading}>
        <CodeForm code={code} use={setCode} error={badCode} />
        {quote.error && !badCode && <p className="error">No total: {quote.error.message}.</p>}
        {quote.value && <Sum total={quote.value} />}
        {quote.value && <Checkout total={quote.value} code={code} />}
      </aside>
    </div>
  );
}

function Lines({ total }: { total: Total | null }) {
  const { cart, products, put } = useShop();
  return (
    <ul className="lines">
      {cart.map(({ sku, qty }) => {
        const line = total?.lines.find((line) => line.sku === sku);
        const product = products.find((product) => product.sku === sku);
        return (
          <li key={sku}>
            <div className={`picture small ${product?.category}`}>
              <img src={`/products/${sku}.svg`} alt="" width="80" height="64" />
            </div>
            <div>
              <Link to={`/product/${sku}`}>{product?.name}</Link>
              {total && line && <Fine line={line} total={total} />}
            </div>
            <input
              type="number"
              min={0}
              max={99}
              aria-label={`Quantity of ${product?.name}`}
              value={qty}
              onChange={(event) => put(sku, Math.max(0, Math.min(99, Math.floor(event.target.valueAsNumber) || 0)))}
            />
            <strong className="price">
              {total && line && money(total.display === 'gross' ? line.gross : line.net, total.currency)}
            </strong>
            <button type="button" className="plain" aria-label={`Remove ${product?.name}`} onClick={() => put(sku, 0)}>×</button>
          </li>
        );
      })}
    </ul>
  );
}

function Fine({ line, total }: { line: Line; total: Total }) {
  return (
    <p className="fine">
      {line.rate} % {total.taxName}
      {line.discount > 0 && <> · <span className="saved">−{money(line.discount, total.currency)}</span></>}
    </p>
  );
}

function CodeForm({ code, use, error }: { code: string | null; use: (code: string | null) => void; error: Error | null }) {
  const [typed, setTyped] = useState(code ?? '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    use(typed.trim() || null);
  };
  return (
    <form className="code" onSubmit={submit}>
      <label htmlFor="code">Discount code</label>
      <div className="row">
        <input
          id="code"
          value={typed}
          placeholder="HARBOUR10"
          autoCapitalize="characters"
          aria-invalid={error !== null}
          aria-describedby="code-error"
          onChange={(event) => setTyped(event.target.value)}
        />
        <button type="submit">Apply</button>
      </div>
      <p id="code-error" className="error" role="status">{error && `${error.message}.`}</p>
    </form>
  );
}

function Sum({ total }: { total: Total }) {
  const show = (minor: number) => money(minor, total.currency);
  return (
    <dl className="sum">
      <div><dt>Goods, before tax</dt><dd>{show(total.list)}</dd></div>
      {total.discount > 0 && <div className="saved"><dt>Discounts {total.code?.code}</dt><dd>−{show(total.discount)}</dd></div>}
      <div><dt>Shipping</dt><dd>{total.shipping.base ? show(total.shipping.base) : 'free'}</dd></div>
      {total.taxes.filter(({ tax }) => tax > 0).map(({ rate, tax }) => (
        <div key={rate}><dt>{rate} % {total.taxName}</dt><dd>{show(tax)}</dd></div>
      ))}
      <div className="total"><dt>Total</dt><dd>{show(total.total)}</dd></div>
    </dl>
  );
}

function Checkout({ total, code }: { total: Total; code: string | null }) {
  const { place, emptied } = useShop();
  const [error, setError] = useState('');
  const navigate = useNavigate();
  const order = async () => {
    try {
      const placed = await api.order({ ...place, code, total: total.total });
      emptied();
      navigate('/orders', { state: placed.id });
    } catch (error) {
      setError((error as Error).message);
    }
  };
  return (
    <>
      <button type="button" className="primary wide" onClick={order}>Place the order</button>
      <p className="error" role="alert">{error && `${error}.`}</p>
    </>
  );
}
