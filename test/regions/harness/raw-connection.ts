import { type Socket, connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { eventually } from './eventually.js';

/** A connection on which anything may be sent, HTTP or not. */
export class RawConnection {
  received = '';
  open = true;
  private trickling: NodeJS.Timeout | undefined;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
    // Being cut off is what is waited for.
    socket.on('error', () => undefined);
    socket.on('end', () => this.over());
    socket.on('close', () => this.over());
  }

  /** @param from an address of this machine; on Linux all of 127/8 is */
  static to(port: number, from = '127.0.0.1'): RawConnection {
    return new RawConnection(connect({ port, host: '127.0.0.1', localAddress: from }));
  }

  static toTls(port: number, options: ConnectionOptions, from = '127.0.0.1'): RawConnection {
    const address = { port, host: '127.0.0.1', localAddress: from };
    return new RawConnection(connectTls({ ...address, ...options }));
  }

  send(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  /** Sends its characters one by one, again from the beginning after the last, for as long as the connection lasts. */
  trickle(text: string, everyMs: number): this {
    let sent = 0;
    this.trickling = setInterval(() => this.socket.write(text[sent++ % text.length]!), everyMs);
    return this;
  }

  /** Until the other side has closed it. */
  async untilCutOff(withinMs: number): Promise<void> {
    await eventually(() => {
      if (this.open) throw new Error(`still open, after it brought ${JSON.stringify(this.received.slice(0, 200))}`);
    }, withinMs);
  }

  /** Until this much has come. */
  async untilReceived(pattern: RegExp): Promise<void> {
    await eventually(() => {
      if (!pattern.test(this.received)) throw new Error(`it brought ${JSON.stringify(this.received.slice(0, 500))}`);
    });
  }

  close(): void {
    this.over();
    this.socket.destroy();
  }

  private over(): void {
    this.open = false;
    clearInterval(this.trickling);
  }
}
