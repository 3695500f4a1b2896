import type { Socket } from 'node:net';

/**
 * What becomes of the bytes of one direction: `open` they flow; `held` they wait; `lost` they vanish, now and for ever;
 * `reset` the first of them resets the connection.
 */
export type Flow = 'open' | 'held' | 'lost' | 'reset';

/** Bytes on their way at once in one direction; beyond it the sender is slowed as a full network slows it. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
const RESUME_BYTES = MAX_QUEUED_BYTES / 2;

type Parcel = { readonly dueMs: number; readonly content: Buffer | 'end' | 'abort' };

/** One direction of one connection: reads from a source, delivers to a target, in order, later by the link's latency. */
export class Pipe {
  readonly #delayMs: () => number;
  readonly #onReset: () => void;
  #flow: Flow;
  #source: Socket | undefined;
  #target: Socket | undefined;
  #queue: Parcel[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #targetIsFull = false;
  #sourceEnded = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onReset is called when what passed resets the whole connection */
  constructor(flow: Flow, delayMs: () => number, onReset: () => void) {
    this.#flow = flow;
    this.#delayMs = delayMs;
    this.#onReset = onReset;
  }

  get flow(): Flow {
    return this.#flow;
  }

  /** Whether nothing more can come out of it. */
  get isOver(): boolean {
    return this.#sourceEnded && (this.#flow === 'lost' || this.#queue.length === 0);
  }

  /** Nothing is delivered sooner: a connection costs a round trip before its first byte. */
  notBefore(dueMs: number): void {
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs);
  }

  from(source: Socket): void {
    this.#source = source;
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.on('end', () => this.#end('end'));
    source.on('error', () => undefined);
    source.on('close', () => this.#end('abort'));
  }

  to(target: Socket): void {
    this.#target = target;
    target.on('drain', () => {
      this.#targetIsFull = false;
      this.#deliver();
    });
    this.#deliver();
  }

  /** What can't be delivered because the source never came to be: the target's end is reset, by the same way. */
  abort(): void {
    this.#end('abort');
  }

  /** Lost is for ever: what a silent cut has swallowed, healing doesn't bring back. */
  setFlow(flow: Flow): void {
    if (this.#flow === 'lost') return;
    this.#flow = flow;
    if (flow === 'lost') this.#forget();
    else this.#deliver();
  }

  close(): void {
    this.#flow = 'lost';
    this.#forget();
  }

  #take(chunk: Buffer): void {
    if (this.#flow === 'lost') return;
    if (this.#flow === 'reset') return this.#onReset();
    this.#enqueue(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.#source?.pause();
    this.#deliver();
  }

  #end(content: 'end' | 'abort'): void {
    if (this.#sourceEnded) return;
    this.#sourceEnded = true;
    if (this.#flow === 'lost') return;
    if (this.#flow === 'reset') return this.#onReset();
    this.#enqueue(content);
    this.#deliver();
  }

  #enqueue(content: Parcel['content']): void {
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + this.#delayMs());
    this.#queue.push({ dueMs: this.#lastDueMs, content });
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#flow === 'open' && this.#target !== undefined && !this.#targetIsFull) {
      const first = this.#queue[0];
      if (first === undefined) return;
      const waitMs = first.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#deliver(), Math.ceil(waitMs));
        return;
      }
      this.#queue.shift();
      this.#hand(first.content, this.#target);
    }
  }

  #hand(content: Parcel['content'], target: Socket): void {
    if (content === 'abort') return this.#onReset();
    if (content === 'end') {
      target.end();
      return;
    }
    if (target.destroyed || target.writableEnded) return;
    this.#targetIsFull = !target.write(content);
    this.#queuedBytes -= content.length;
    if (this.#queuedBytes < RESUME_BYTES) this.#source?.resume();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#queuedBytes = 0;
    // What still comes must be read, or the source would feel the cut.
    this.#source?.resume();
  }
}
