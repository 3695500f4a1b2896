import { connect, type Socket } from 'node:net';

import { LINK_SOURCE_ADDRESS } from '../ports.js';
import { Pipe, type Flow } from './pipe.js';

/** Flows of one connection, seen from the side that opened it. */
export interface Flows {
  /** From who connected to who accepted. */
  readonly forward: Flow;
  readonly backward: Flow;
}

/**
 * One connection across the link. The far end is connected to only once bytes may flow there; each half ends by
 * itself, and both sockets are let go when both halves are over.
 */
export class Connection {
  readonly #client: Socket;
  readonly #targetPort: number;
  readonly #forward: Pipe;
  readonly #backward: Pipe;
  readonly #onOver: (connection: Connection) => void;
  #upstream: Socket | undefined;
  #isOver = false;

  constructor(client: Socket, targetPort: number, flows: Flows, delayMs: () => number, onOver: (connection: Connection) => void) {
    this.#client = client;
    this.#targetPort = targetPort;
    this.#onOver = onOver;
    this.#forward = new Pipe(flows.forward, delayMs, () => this.reset());
    this.#backward = new Pipe(flows.backward, delayMs, () => this.reset());
    client.setNoDelay(true);
    // The kernel accepted at once what would have taken a round trip.
    this.#forward.notBefore(performance.now() + 3 * delayMs());
    this.#forward.from(client);
    this.#backward.to(client);
    client.on('close', () => this.#letGoIfOver());
    client.on('end', () => this.#letGoIfOver());
    this.#dialIfOpen();
  }

  setFlows(flows: Flows): void {
    this.#forward.setFlow(flows.forward);
    this.#backward.setFlow(flows.backward);
    this.#dialIfOpen();
    this.#letGoIfOver();
  }

  /** Both ends see a reset, at once. */
  reset(): void {
    if (this.#isOver) return;
    for (const socket of [this.#client, this.#upstream]) {
      if (socket !== undefined && !socket.destroyed) socket.resetAndDestroy();
    }
    this.#over();
  }

  #dialIfOpen(): void {
    if (this.#upstream !== undefined || this.#forward.flow !== 'open' || this.#isOver) return;
    const upstream = connect({ host: '127.0.0.1', port: this.#targetPort, localAddress: LINK_SOURCE_ADDRESS, noDelay: true, allowHalfOpen: true });
    this.#upstream = upstream;
    // Nobody listens there (or no longer): the closing of the socket tells the other side, across the link.
    this.#backward.from(upstream);
    upstream.once('connect', () => this.#forward.to(upstream));
    upstream.on('close', () => this.#letGoIfOver());
    upstream.on('end', () => this.#letGoIfOver());
  }

  /** A half that was lost ends with its source; the other one must have ended too, or its end would be told. */
  #letGoIfOver(): void {
    if (this.#isOver) return;
    const neverDialled = this.#upstream === undefined && this.#forward.flow === 'lost';
    if (!this.#forward.isOver || !(this.#backward.isOver || neverDialled)) return;
    const sockets = [this.#client, this.#upstream].filter((socket) => socket !== undefined);
    // What was delivered still has to be written out; a socket closes by itself once both of its halves are done.
    const isSilent = this.#forward.flow === 'lost' || this.#backward.flow === 'lost';
    if (isSilent) for (const socket of sockets) socket.destroy();
    if (sockets.every((socket) => socket.destroyed)) this.#over();
  }

  #over(): void {
    this.#isOver = true;
    this.#forward.close();
    this.#backward.close();
    this.#onOver(this);
  }
}
