// Header, footer and the feed of sales around every page.

import { useEffect } from 'react';
import { Link, NavLink, Outlet, useLocation } from 'react-router';
import { useShop } from './shop';
import { useSale } from './use';

export function Frame() {
  const { cart } = useShop();
  const { pathname } = useLocation();
  useEffect(() => {
    window.scrollTo(0, 0);
  }, [pathname]);
  const count = cart.reduce((sum, item) => sum + item.qty, 0);
  return (
    <>
      <a className="skip" href="#main">Skip to the content</a>
      <header className="top">
        <div className="page bar">
          <Link to="/" className="brand">
            <img src="/mark.svg" alt="" width="36" height="36" />
            <span>Quay &amp; Coracle</span>
          </Link>
          <nav aria-label="Main">
            <NavLink to="/" end>Shop</NavLink>
            <NavLink to="/orders">Orders</NavLink>
            <NavLink to="/cart">
              Cart{count > 0 && <span className="badge" aria-label={`${count} items`}>{count}</span>}
            </NavLink>
          </nav>
          <ShipTo />
        </div>
      </header>
      <main id="main" className="page">
        <Outlet />
      </main>
      <Footer />
    </>
  );
}

function ShipTo() {
  const { countries, place, move } = useShop();
  const regions = countries.find((country) => country.code === place.country)?.regions ?? [];
  return (
    <div className="shipto">
      <label>
        <span>Ship to</span>
        <select
          value={place.country}
          onChange={(event) => {
            const country = event.target.value;
            const first = countries.find(({ code }) => code === country)?.regions[0];
            move({ country, region: first?.code ?? null });
          }}
        >
          {countries.map(({ code, name }) => <option key={code} value={code}>{name}</option>)}
        </select>
      </label>
      {regions.length > 0 && (
        <select
          aria-label="State"
          value={place.region ?? ''}
          onChange={(event) => move({ ...place, region: event.target.value })}
        >
          {regions.map(({ code, name }) => <option key={code} value={code}>{name}</option>)}
        </select>
      )}
    </div>
  );
}

function Footer() {
  const { products, live } = useShop();
  const sale = useSale();
  const names = sale?.items.map(({ sku }) => products.find((product) => product.sku === sku)?.name);
  return (
    <footer className="bottom">
      <div className="page bar">
        <p className="feed" aria-live="off">
          <span className={live ? 'dot on' : 'dot'} aria-hidden="true" />
          {sale ? <span key={sale.id} className="sale">{names?.join(', ')}, to {sale.place}</span> : 'Quiet on the quay'}
        </p>
        <p>Small goods for people near water.</p>
      </div>
    </footer>
  );
}
