import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { addressKey } from '#features/attempts';
import { limits } from '#kernel/config';

/**
 * Bounds the connections of a listener: all of them, and those from one address, so that whoever opens thousands and says nothing leaves
 * room for others. What is too much is closed before a byte of it is read, its handshake included.
 * @param perAddress false where proxies stand before the clients, who share their addresses then
 */
export function boundConnections(server: Server, perAddress: boolean, refused: (why: string) => void): void {
  server.maxConnections = limits.connectionsAtOnce;
  server.on('drop', () => refused('connections'));
  if (!perAddress) return;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = addressKey(socket.remoteAddress ?? '');
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => {
      const left = open.get(address)! - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    if (count <= limits.connectionsPerAddress) return;
    refused('connections-of-address');
    socket.destroy();
  });
}
