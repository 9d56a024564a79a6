import { connect } from 'node:net';
export async function find(name: string): Promise<{ name: string; hash: string }> {
  const socket = connect(5432, 'localhost');
  return new Promise((resolve) => socket.once('data', (data) => resolve(JSON.parse(String(data)))));
}
