import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

import { RuntimeFailure } from '../failure.js';

/** On loopback a connection is there at once, or its packets were dropped. */
const CONNECT_MS = 80;
/** A kernel that takes more than so many into a queue of one can't be made deaf. */
const MAX_FILLERS = 32;
const WORKER_MS = 5_000;

/** The worker runs as it lies beside this file: compiled, or as source under the tests. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './deaf-worker.ts' : './deaf-worker.js', import.meta.url);

/** Ports on which connecting hangs. */
export class DeafPorts {
  readonly #worker: Worker;
  readonly #wake: Int32Array;
  #fillers: Socket[] = [];

  private constructor(worker: Worker, wake: Int32Array) {
    this.#worker = worker;
    this.#wake = wake;
  }

  /** A thread ready to take the ports; `take` then is quick. */
  static async prepare(ports: readonly number[]): Promise<DeafPorts> {
    const wake = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(WORKER, { workerData: { ports, wake } });
    worker.on('error', () => undefined);
    worker.unref();
    const deaf = new DeafPorts(worker, wake);
    await deaf.#hear('ready');
    return deaf;
  }

  /** Listens, which the ports must be free for, and fills the queues. Returns when connecting hangs on all of them. */
  async take(ports: readonly number[]): Promise<void> {
    const listening = this.#hear('listening');
    this.#worker.postMessage('listen');
    await listening;
    await Promise.all(ports.map((port) => this.#fill(port)));
  }

  /** Lets the ports go. Whoever hangs in connecting to them tries again by itself. */
  async release(): Promise<void> {
    const closed = this.#hear('closed');
    Atomics.store(this.#wake, 0, 1);
    Atomics.notify(this.#wake, 0);
    await closed;
    for (const filler of this.#fillers) filler.destroy();
    this.#fillers = [];
  }

  async #hear(word: string): Promise<void> {
    const [message] = (await once(this.#worker, 'message', { signal: AbortSignal.timeout(WORKER_MS) })) as [string];
    if (message !== word) throw new RuntimeFailure(`the link's ports could not be made deaf: ${message}`);
  }

  async #fill(port: number): Promise<void> {
    for (let count = 0; count < MAX_FILLERS; count += 1) {
      const filler = connect({ host: '127.0.0.1', port });
      filler.on('error', () => undefined);
      if (!(await connects(filler))) {
        filler.destroy();
        return;
      }
      this.#fillers.push(filler);
    }
    throw new RuntimeFailure(`cuts of the kind "syn" can't be made on this platform (${process.platform}): its listening queues don't fill up`);
  }
}

function connects(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    // The event of a connection that came in time may still be waiting behind this timer.
    setTimeout(() => setImmediate(() => setImmediate(() => resolve(!socket.connecting && !socket.destroyed))), CONNECT_MS);
  });
}
