import type { Logger } from 'pino';
import { DatabaseUnavailableError } from '#adapters/postgres';
import { Pause } from '#kernel/clock';
import type { StreamName } from '#kernel/wire';
import type { KafkaPort } from './kafka-port.js';
import type { OutboxRow, OutboxRows } from './outbox-rows.js';
import { topicOf } from './topics.js';

/** Rows numbered in one transaction and sent at once (hot-paths: 500 to 1,000). */
const BATCH_ROWS = 1_000;
/** Numbered batches kept in memory while one is being sent; what is more is read from the table again. */
const QUEUED_BATCHES = 2;
/**
 * How long numbering waits for a place among them while Kafka takes events, so that a backlog is not read twice; no longer, since heads and pulling by
 * number go on with a Kafka that is frozen.
 */
const ROOM_MS = 250;
/** A send of more than this is cut in pieces: brokers refuse above 1 MiB. */
const SEND_BYTES = 512 * 1_024;
/** First and longest pause after a failed send. */
const RETRY_MS = 250;
const MAX_RETRY_MS = 2_000;

/**
 * One partition of one stream: numbers its rows, then sends them in order, one send at a time. The two go on
 * independently, since heads and pulling by number need the numbers while Kafka is away.
 */
export class RelayLane {
  head = 0;
  sent = 0;
  private recorded = 0;
  private active = false;
  private wanted = false;
  private numbering: Promise<void> | undefined;
  private sending: Promise<void> | undefined;
  private queue: OutboxRow[][] = [];
  private readonly pause = new Pause();
  private readonly room = new Pause();
  failing = false;

  constructor(
    readonly stream: StreamName,
    readonly partition: number,
    private readonly rows: OutboxRows,
    private readonly kafka: KafkaPort,
    private readonly logger: Logger,
  ) {}

  /** Takes up the work where the table says that it stands. */
  start(head: number, sent: number): void {
    this.active = true;
    this.head = head;
    this.sent = sent;
    this.recorded = sent;
    this.queue = [];
    this.wake();
  }

  /** Takes no new work, and waits for what is under way. */
  async halt(): Promise<void> {
    this.active = false;
    this.pause.wake();
    this.room.wake();
    await Promise.all([this.numbering, this.sending]);
  }

  /** Rows may be waiting. */
  wake(): void {
    this.wanted = true;
    if (this.active) this.numbering ??= this.numberAll();
  }

  /** Goes on sending where a gap between numbering and sending was left, and records what was acknowledged. */
  async tick(): Promise<void> {
    if (!this.active) return;
    this.send();
    const sent = this.sent;
    if (sent <= this.recorded) return;
    await this.rows.recordSent(this.stream, this.partition, sent);
    this.recorded = sent;
  }

  /** What the table says, where this process has not done it or has not seen its outcome. */
  learn(head: number, sent: number): void {
    this.head = Math.max(this.head, head);
    this.sent = Math.max(this.sent, sent);
  }

  /** Everything up to here was confirmed by every peer and deleted, so it need not be sent. */
  skipThrough(number: number): void {
    this.sent = Math.max(this.sent, Math.min(number, this.head));
  }

  private async numberAll(): Promise<void> {
    while (this.active && this.wanted) {
      this.wanted = false;
      const sent = this.sent;
      try {
        const batch = await this.rows.number(this.stream, this.partition, sent, BATCH_ROWS);
        this.recorded = Math.max(this.recorded, sent);
        // Not the end: a wake during the query stands for a row that its snapshot did not see.
        if (batch.length === 0) continue;
        this.head = Math.max(this.head, batch.at(-1)!.number);
        if (this.queue.length < QUEUED_BATCHES) this.queue.push(batch);
        if (batch.length === BATCH_ROWS) this.wanted = true;
        this.send();
        await this.untilRoom();
      } catch (error) {
        // Whether it was done or not: the poll finds rows without a number, and learns the head of those that have one.
        this.logger.debug({ err: error, stream: this.stream, partition: this.partition }, 'numbering the outbox failed');
        break;
      }
    }
    // In the same turn as the last look at `wanted`, so that no wake falls in between.
    this.numbering = undefined;
  }

  private async untilRoom(): Promise<void> {
    const untilMs = performance.now() + ROOM_MS;
    for (let leftMs = ROOM_MS; leftMs > 0 && this.active && !this.failing && this.queue.length === QUEUED_BATCHES; leftMs = untilMs - performance.now()) {
      await this.room.wait(leftMs);
    }
  }

  private send(): void {
    if (this.active && this.sent < this.head) this.sending ??= this.sendAll();
  }

  private async sendAll(): Promise<void> {
    let retryMs = RETRY_MS;
    while (this.active && this.sent < this.head) {
      try {
        for (const piece of pieces(await this.nextBatch())) {
          await this.sendPiece(piece);
          this.sent = Math.max(this.sent, piece.at(-1)!.number);
        }
        retryMs = RETRY_MS;
        this.report(false);
      } catch (error) {
        if (error instanceof DatabaseUnavailableError) this.logger.debug({ err: error }, 'the outbox could not be read');
        else this.report(true, error);
        await this.pause.wait(retryMs);
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
      }
    }
    this.sending = undefined;
  }

  /** The rows after `sent`: from memory where they follow on, else from the table. */
  private async nextBatch(): Promise<OutboxRow[]> {
    while (this.queue.length > 0) {
      const batch = this.queue.shift()!;
      this.room.wake();
      if (batch[0]!.number === this.sent + 1) return batch;
    }
    const head = this.head;
    const batch = await this.rows.numbered(this.stream, this.partition, this.sent, BATCH_ROWS);
    // None left: every peer has confirmed them, and they were deleted.
    if (batch.length === 0) this.skipThrough(head);
    return batch;
  }

  private async sendPiece(piece: readonly OutboxRow[]): Promise<void> {
    const messages = piece.map((row) => ({ key: row.key, value: Buffer.from(this.rows.encode(this.stream, this.partition, row)) }));
    await this.kafka.produce(topicOf(this.stream), this.partition, messages);
  }

  private report(failing: boolean, error?: unknown): void {
    if (failing !== this.failing) {
      const about = { err: error, stream: this.stream, partition: this.partition, sent: this.sent };
      if (failing) this.logger.warn(about, 'the own Kafka does not take events; they wait in the outbox');
      else this.logger.info(about, 'the own Kafka takes events again');
    }
    this.failing = failing;
  }
}

/** Consecutive pieces of at most SEND_BYTES of payload each. */
function pieces(batch: readonly OutboxRow[]): OutboxRow[][] {
  const all: OutboxRow[][] = [];
  let bytes = SEND_BYTES;
  for (const row of batch) {
    const size = row.payload.length * 2 + 200;
    if (bytes + size > SEND_BYTES) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)!.push(row);
    bytes += size;
  }
  return all;
}
