import { createRequire } from 'node:module';
import net from 'node:net';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs, { type ISocketFactory, type logCreator } from 'kafkajs';
import type { Logger } from 'pino';

/** kafkajs is CommonJS: its values come through the default import. */
export const { CompressionTypes, Kafka, logLevel } = kafkajs;

/** A batch that unpacks to more is nobody's: the relay sends at most half a megabyte at once. */
const MOST_UNPACKED_BYTES = 16 * 1_024 * 1_024;
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)];

/** kafkajs knows the number of zstd and leaves the codec to its users; Node has one. */
kafkajs.CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => compress(buffer, LEVEL),
  decompress: (buffer: Buffer) => decompress(buffer, { maxOutputLength: MOST_UNPACKED_BYTES }),
});

/**
 * kafkajs 2.2.4 goes round a timer of 1 ms on every connection for ever, with nothing pending (measured: half of an idle
 * service's processor time; node 24 also warns of its negative delay). The timer only matters while something is pending.
 */
function stopIdleTimers(): void {
  const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  const schedule = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

stopIdleTimers();

/** What a TLS connection to a broker is made with; PEM contents. */
export interface BrokerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The name that the broker's certificate must carry. */
  readonly servername: string;
}

/**
 * The sockets of one kafkajs client, so that they can be destroyed: kafkajs neither closes a socket on a time-out nor
 * offers them (recovery.md, "kafkajs between regions"). After `destroy` no new one is made, so a discarded client can
 * not go on reconnecting.
 */
export class TrackedSockets {
  private readonly open = new Set<net.Socket>();
  private destroyed = false;

  readonly factory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.destroyed) throw new Error('this Kafka client was discarded');
    const socket = ssl ? tls.connect({ host, port, ...ssl }, onConnect) : net.connect({ host, port }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    return socket;
  };

  /** With an error, since that is what makes kafkajs reject the requests in flight; it does not listen to 'close'. */
  destroy(): void {
    this.destroyed = true;
    for (const socket of this.open) socket.destroy(new Error('this Kafka client was discarded'));
  }
}

/** Idle time after which the kernel probes a connection: it sees dead hosts, not silent forwarders. */
const KEEP_ALIVE_MS = 2_000;

/**
 * kafkajs's own lines, as debug lines of ours: what it calls an error is mostly a retry, and every state that matters is
 * logged once by its owner here.
 */
export function kafkaLogs(logger: Logger): logCreator {
  return () =>
    ({ namespace, log: { message, logger: _name, timestamp: _timestamp, stack: _stack, ...rest } }) =>
      logger.debug({ kafka: { namespace, ...rest } }, message);
}

/**
 * `work`, but not longer than `limitMs`; what comes later is ignored.
 * @throws DeadlineError after the limit: the outcome is unknown
 */
export async function withDeadline<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, limitMs)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

export class DeadlineError extends Error {
  constructor(
    readonly what: string,
    readonly limitMs: number,
  ) {
    super(`${what} took longer than ${limitMs} ms`);
    this.name = 'DeadlineError';
  }
}
