import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
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

/**
 * Ends connections whose TLS handshake isn't over in time. TLS has a limit of its own, which begins anew with each byte: who trickles a handshake is
 * never cut off by it.
 */
export function boundHandshakes(server: TlsServer, refused: (why: string) => void): void {
  const timers = new Map<string, NodeJS.Timeout>();
  server.on('connection', (socket: Socket) => {
    const end = farEnd(socket);
    const timer = setTimeout(() => {
      refused('handshake');
      socket.destroy();
    }, limits.requestReceiveMs);
    timers.set(end, timer);
    socket.once('close', () => {
      clearTimeout(timer);
      timers.delete(end);
    });
  });
  server.on('secureConnection', (socket: Socket) => clearTimeout(timers.get(farEnd(socket))));
}

function farEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
