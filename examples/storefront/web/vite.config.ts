// Builds to web/dist, which Coracle serves as files. `vite` by itself also works: it hands the API to the Node server.

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const node = 'http://127.0.0.1:3000';

export default defineConfig({
  plugins: [react()],
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': node,
      '/events': node,
      '/socket.io': { target: node, ws: true },
    },
  },
});
