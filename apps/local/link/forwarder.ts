import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { Connection, type Flows } from './connection.js';

/** A port that was just let go is free again within this. */
const LISTEN_MS = 3_000;
const LISTEN_EVERY_MS = 10;

/** One service of one region as another region reaches it: listens on `port`, connects to `target`. */
export class Forwarder {
  readonly port: number;
  readonly #target: number;
  readonly #delayMs: () => number;
  readonly #connections = new Set<Connection>();
  #flows: Flows = { forward: 'open', backward: 'open' };
  #server: Server | undefined;

  constructor(port: number, target: number, delayMs: () => number) {
    this.port = port;
    this.#target = target;
    this.#delayMs = delayMs;
  }

  /** Open connections, for tests that nothing leaks. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** At once, for those that are open and those to come. */
  setFlows(flows: Flows): void {
    this.#flows = flows;
    for (const connection of this.#connections) connection.setFlows(flows);
  }

  resetAll(): void {
    for (const connection of this.#connections) connection.reset();
  }

  async open(): Promise<void> {
    if (this.#server !== undefined) return;
    const deadline = performance.now() + LISTEN_MS;
    for (;;) {
      try {
        this.#server = await listen(this.port, (socket) => this.#accept(socket));
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || performance.now() > deadline) throw error;
        await sleep(LISTEN_EVERY_MS);
      }
    }
  }

  /** New connections are refused from here on; open ones stay. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #accept(client: Socket): void {
    const connection = new Connection(client, this.#target, this.#flows, this.#delayMs, (over) => this.#connections.delete(over));
    this.#connections.add(connection);
  }
}

function listen(port: number, onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve(server);
    });
  });
}
