// The orders of this session.

import { Link, useLocation } from 'react-router';
import { api, money, type Order } from '../api';
import { useShop } from '../shop';
import { useFetched } from '../use';

export function Orders() {
  const fresh: string | null = useLocation().state;
  const orders = useFetched(() => api.orders(), []);
  if (orders.error) return <p className="notice">Your orders are not to be found: {orders.error.message}.</p>;
  if (!orders.value) return <p className="notice" aria-busy="true">Looking…</p>;
  if (orders.value.orders.length === 0) {
    return <p className="notice">No orders yet. <Link to="/">See what we have</Link></p>;
  }
  return (
    <>
      <h1>Your orders</h1>
      <ul className="orders">
        {orders.value.orders.map((order) => <Entry key={order.id} order={order} fresh={order.id === fresh} />)}
      </ul>
    </>
  );
}

function Entry({ order, fresh }: { order: Order; fresh: boolean }) {
  const { products } = useShop();
  const name = (sku: string) => products.find((product) => product.sku === sku)?.name;
  return (
    <li className={fresh ? 'fresh' : ''}>
      <h2>{fresh ? 'Thank you. Order' : 'Order'} {order.id}</h2>
      <p className="fine">{new Date(order.at).toLocaleString()} · to {order.region ? `${order.region}, ` : ''}{order.country}</p>
      <ul>{order.lines.map((line) => <li key={line.sku}>{line.qty} × {name(line.sku)}</li>)}</ul>
      <strong className="price">{money(order.total, order.currency)}</strong>
    </li>
  );
}
