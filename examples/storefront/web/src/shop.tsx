// What every page shares: the catalogue, where the shopper is, prices there, the stock and the cart.

import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { api, type CartItem, type Country, type Head, type Line, type Place, type Product } from './api';
import { useFetched, useStock } from './use';

const REMEMBERED = 'place';

interface Shop {
  products: Product[];
  countries: Country[];
  place: Place;
  move: (place: Place) => void;
  head: Head | null;
  prices: Record<string, Line>;
  left: (sku: string) => number;
  live: boolean;
  cart: CartItem[];
  put: (sku: string, qty: number) => Promise<void>;
  emptied: () => void;
}

const Context = createContext<Shop | null>(null);

export function useShop(): Shop {
  const shop = useContext(Context);
  if (!shop) throw new Error('useShop is called outside of ShopProvider');
  return shop;
}

export function ShopProvider({ children }: { children: ReactNode }) {
  const [place, setPlace] = useState<Place>(remembered);
  const [cart, setCart] = useState<CartItem[]>([]);
  const catalogue = useFetched(() => api.catalogue(), []);
  const priced = useFetched((signal) => api.prices(place, signal), [place.country, place.region]);
  const stock = useStock();

  useEffect(() => {
    api.cart().then(({ items }) => setCart(items), () => {});
  }, []);

  if (catalogue.error) return <p className="notice page">The shop is closed just now: {catalogue.error.message}.</p>;
  if (!catalogue.value) return <p className="notice page" aria-busy="true">Opening the shutters…</p>;
  const { products } = catalogue.value;
  const countries = catalogue.value.countries.toSorted((a, b) => a.name.localeCompare(b.name));
  const { prices = [], ...head } = priced.value ?? { prices: [] };
  return (
    <Context
      value={{
        products,
        countries,
        place,
        move: (place) => {
          localStorage.setItem(REMEMBERED, JSON.stringify(place));
          setPlace(place);
        },
        head: priced.value ? (head as Head) : null,
        prices: Object.fromEntries(prices.map((line) => [line.sku, line])),
        left: (sku) => stock.left[sku] ?? products.find((product) => product.sku === sku)?.stock ?? 0,
        live: stock.live,
        cart,
        put: async (sku, qty) => setCart((await api.put(sku, qty)).items),
        emptied: () => setCart([]),
      }}
    >
      {children}
    </Context>
  );
}

function remembered(): Place {
  try {
    const { country, region } = JSON.parse(localStorage.getItem(REMEMBERED) ?? '');
    if (typeof country === 'string') return { country, region: region ?? null };
  } catch {
    // nothing remembered, or not by us
  }
  return { country: 'DE', region: null };
}
