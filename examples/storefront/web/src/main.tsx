// Entry of the front end.

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter, Route, Routes } from 'react-router';
import { Frame } from './frame';
import { Cart } from './pages/cart';
import { Catalogue } from './pages/catalogue';
import { Orders } from './pages/orders';
import { ProductPage } from './pages/product';
import { ShopProvider } from './shop';
import './style.css';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <BrowserRouter>
      <ShopProvider>
        <Routes>
          <Route element={<Frame />}>
            <Route index element={<Catalogue />} />
            <Route path="product/:sku" element={<ProductPage />} />
            <Route path="cart" element={<Cart />} />
            <Route path="orders" element={<Orders />} />
            <Route path="*" element={<p className="notice">There is nothing here. The tide took it.</p>} />
          </Route>
        </Routes>
      </ShopProvider>
    </BrowserRouter>
  </StrictMode>,
);
