// Hooks: something fetched, the live stock, the feed of orders.

import { type DependencyList, useEffect, useState } from 'react';
import { io } from 'socket.io-client';
import type { Sale } from './api';

export interface Fetched<T> {
  value: T | null;
  error: Error | null;
  loading: boolean;
}

/** Fetches again when `inputs` change; the old value stays until the new one is there. */
export function useFetched<T>(fetcher: (signal: AbortSignal) => Promise<T>, inputs: DependencyList): Fetched<T> {
  const [state, setState] = useState<Fetched<T>>({ value: null, error: null, loading: true });
  useEffect(() => {
    const abort = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    fetcher(abort.signal).then(
      (value) => setState({ value, error: null, loading: false }),
      (error) => abort.signal.aborted || setState({ value: null, error, loading: false }),
    );
    return () => abort.abort();
  }, inputs);
  return state;
}

/** What is left of each product, pushed by the server. */
export function useStock(): { left: Record<string, number>; live: boolean } {
  const [left, setLeft] = useState<Record<string, number>>({});
  const [live, setLive] = useState(false);
  useEffect(() => {
    const socket = io();
    socket.on('connect', () => setLive(true));
    socket.on('disconnect', () => setLive(false));
    socket.on('stock:all', setLeft);
    socket.on('stock', (change: { sku: string; left: number }) =>
      setLeft((before) => ({ ...before, [change.sku]: change.left })),
    );
    return () => void socket.close();
  }, []);
  return { left, live };
}

/** The latest sale in the shop. */
export function useSale(): Sale | null {
  const [sale, setSale] = useState<Sale | null>(null);
  useEffect(() => {
    const events = new EventSource('/events');
    events.addEventListener('order', (event) => setSale(JSON.parse(event.data)));
    return () => events.close();
  }, []);
  return sale;
}
