import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { Link } from '../../apps/local/link/link.js';

/** Long enough for anything that would come over loopback, on a busy machine too. */
export const SILENCE_MS = 200;
const ARRIVES_MS = 5_000;

/** East and west with a link between, and in each a server that gives back what it gets; what reached it is kept. */
export class TwoEnds {
  readonly link: Link;
  readonly #ports: { eastToWest: number; westToEast: number };
  readonly #servers: readonly EchoServer[];
  readonly #clients: Client[] = [];

  private constructor(link: Link, ports: { eastToWest: number; westToEast: number }, servers: readonly EchoServer[]) {
    this.link = link;
    this.#ports = ports;
    this.#servers = servers;
  }

  static async open(): Promise<TwoEnds> {
    const [west, east] = [await EchoServer.open(), await EchoServer.open()];
    const [eastToWest, westToEast] = [await freePort(), await freePort()];
    const link = new Link('east', 'west', [
      { from: 'east', to: 'west', service: 'peer', port: eastToWest, target: west.port },
      { from: 'west', to: 'east', service: 'peer', port: westToEast, target: east.port },
    ]);
    await link.open();
    return new TwoEnds(link, { eastToWest, westToEast }, [west, east]);
  }

  get west(): EchoServer {
    return this.#servers[0]!;
  }

  /** A connection made in `from` to the other region. */
  client(from: 'east' | 'west' = 'east'): Client {
    const client = new Client(connect({ host: '127.0.0.1', port: from === 'east' ? this.#ports.eastToWest : this.#ports.westToEast }));
    this.#clients.push(client);
    return client;
  }

  async connected(from: 'east' | 'west' = 'east'): Promise<Client> {
    const client = this.client(from);
    await client.untilConnected();
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.socket.destroy();
    await this.link.close();
    for (const server of this.#servers) server.close();
  }
}

/** One end of a connection and all that it saw. */
export class Client {
  readonly socket: Socket;
  received = '';
  ended = false;
  /** The code of its error, e.g. ECONNRESET. */
  error: string | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    socket.on('end', () => (this.ended = true));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code));
  }

  /** Sends and waits until as much has come back in all. */
  async echo(text: string): Promise<void> {
    const wanted = this.received + text;
    this.socket.write(text);
    await until(() => this.received === wanted, `echo of ${text}`);
  }

  untilConnected(): Promise<void> {
    return until(() => !this.socket.connecting || this.error !== undefined, 'connecting');
  }

  /** Sends, and is sure that nothing came back for a while, neither bytes nor an end. */
  async isSilent(text: string): Promise<boolean> {
    const before = this.received;
    this.socket.write(text);
    await sleep(SILENCE_MS);
    return this.received === before && !this.ended && this.error === undefined;
  }
}

/** Gives back every byte; ends when its client ends. */
export class EchoServer {
  readonly port: number;
  received = '';
  readonly sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
      socket.pipe(socket);
    });
  }

  static async open(): Promise<EchoServer> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new EchoServer(server);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Waits for what must come. @throws Error that names it when it doesn't */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + ARRIVES_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come about within ${ARRIVES_MS} ms`);
    await sleep(5);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
