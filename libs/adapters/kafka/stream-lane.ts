import type { Logger } from 'pino';
import type { Database, Statement, Transaction } from '#adapters/postgres';
import { limits } from '#kernel/config';
import type { StreamMessage, StreamName } from '#kernel/wire';
import { type DeadLetters, isPoison } from './dead-letters.js';
import { type Incoming, type Letter, type Step, letterOf, planRun } from './plan-run.js';
import type { StreamEffect } from './stream-effect.js';

/** Another process has advanced the position: this one reads it again. */
export class StalePositionError extends Error {
  constructor(readonly expected: number) {
    super(`the position is no longer ${expected}`);
    this.name = 'StalePositionError';
  }
}

/** How often a batch is planned again after another process took part of it. */
const STALE_ROUNDS = 5;
/** Most messages of one transaction, and the fewest that repeated failures (a slow database) cut it down to. */
const CHUNK = 5_000;
const MIN_CHUNK = 50;

/**
 * One partition of one stream of one writer, as applied here. Its work is serial within this process; between processes
 * the compare-and-set of the position decides (design, rule 3).
 */
export class StreamLane {
  /** The highest number applied, and the Kafka offset of the last that came through Kafka (-1: none). */
  last = 0;
  offset = -1;
  deadLettered = 0;
  private loaded = false;
  private chunk = CHUNK;
  private serial: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly own: string,
    readonly writer: string,
    readonly partition: number,
    private readonly effect: StreamEffect,
    private readonly db: Database,
    private readonly letters: DeadLetters,
    private readonly logger: Logger,
  ) {}

  get stream(): StreamName {
    return this.effect.stream;
  }

  /** Reads the position, unless it is known. */
  async load(): Promise<void> {
    if (this.loaded) return;
    await this.letters.ensureLoaded();
    const values = [this.own, this.writer, this.stream, this.partition];
    let [row] = await this.db.query<PositionRow>(POSITION, values);
    if (row === undefined) {
      await this.db.write(FIRST_POSITION, values);
      [row] = await this.db.query<PositionRow>(POSITION, values);
    }
    this.last = Number(row!.applied);
    this.offset = Number(row!.kafka_offset);
    this.loaded = true;
  }

  /**
   * Applies what follows on from the position, skips what is behind it, and keeps aside what can't be applied.
   * @returns the number seen behind a gap, if there is one: what is between must be pulled
   * @throws when the database can't do it now: the same batch is to be given again
   */
  apply(batch: readonly Incoming[]): Promise<number | undefined> {
    return this.inTurn(() => this.applyInTurn(batch));
  }

  /** Moves the position after a resync. */
  moveTo(number: number): Promise<void> {
    return this.inTurn(async () => {
      await this.load();
      if (number <= this.last) return;
      // Whatever happens, the table knows the position.
      this.loaded = false;
      await this.commit(number, undefined, async () => undefined);
      this.loaded = true;
    });
  }

  /** The position was moved behind this process's back: it is read again. */
  forget(): Promise<void> {
    return this.inTurn(async () => void (this.loaded = false)).then(() => this.load());
  }

  /** Resolves when what was under way is done. */
  async settled(): Promise<void> {
    await this.serial;
  }

  private async applyInTurn(batch: readonly Incoming[]): Promise<number | undefined> {
    for (let round = 0; ; round += 1) {
      try {
        await this.load();
        const { steps, strays, passed, gapAt } = planRun(batch, this.last, this);
        if (strays.length > 0) this.noteLetters(await this.letters.record({ query: (...query) => this.db.write(...query) }, this, strays));
        for (let at = 0; at < steps.length; at += this.chunk) await this.applyRun(steps.slice(at, at + this.chunk));
        if (passed !== undefined) await this.letters.settleStrays(this, passed);
        // What had come another way is skipped, and the place in Kafka goes on: a restart need not read it again.
        if (passed !== undefined && passed > this.offset) await this.commit(this.last, passed, async () => undefined);
        this.chunk = CHUNK;
        return gapAt;
      } catch (error) {
        // Whatever happened, the table knows the position.
        this.loaded = false;
        if (!(error instanceof StalePositionError)) this.chunk = Math.max(MIN_CHUNK, Math.ceil(this.chunk / 2));
        if (!(error instanceof StalePositionError) || round >= STALE_ROUNDS) throw error;
        await this.letters.load();
      }
    }
  }

  /** A run in one transaction; where its data are refused, its halves, down to the one message that is kept aside. */
  private async applyRun(steps: readonly Step[]): Promise<void> {
    if (steps.length === 0) return;
    try {
      await this.applySteps(steps);
    } catch (error) {
      if (!isPoison(error)) throw error;
      const [first] = steps;
      if (steps.length === 1) {
        if (first!.message === undefined) throw error;
        const detail = error instanceof Error ? error.message : String(error);
        return this.applySteps([asLetter(first!, 'refused', detail, this.isAlone(first!.message) ? undefined : first!.message.key)]);
      }
      const middle = Math.ceil(steps.length / 2);
      await this.applyRun(steps.slice(0, middle));
      await this.applyRun(steps.slice(middle));
    }
  }

  private async applySteps(steps: readonly Step[]): Promise<void> {
    const { number, incoming } = steps.at(-1)!;
    const { messages, fresh } = await this.commit(number, incoming.offset, async (tx) => {
      const sorted = await this.sortOut(tx, steps);
      if (sorted.messages.length > 0) await this.effect.applyBatch(tx, sorted.messages);
      return { messages: sorted.messages, fresh: await this.letters.record(tx, this, sorted.letters) };
    });
    this.noteLetters(fresh);
    if (messages.length > 0) this.tellEffect(messages);
  }

  /** The position moves by compare-and-set, first, so that another process waits here and then finds it moved. */
  private async commit<T>(to: number, offset: number | undefined, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const from = this.last;
    const result = await this.db.transact(async (tx) => {
      const moved = await tx.query(MOVE, [this.own, this.writer, this.stream, this.partition, from, to, offset ?? null]);
      if (moved.length === 0) throw new StalePositionError(from);
      return work(tx);
    }, limits.databaseBatchMs);
    this.last = to;
    this.offset = offset ?? this.offset;
    return result;
  }

  /** Which messages are applied and which are kept aside: later ones of a key follow the first (design, rule 4). */
  private async sortOut(tx: Transaction, steps: readonly Step[]): Promise<{ messages: StreamMessage[]; letters: Letter[] }> {
    const messages: StreamMessage[] = [];
    const letters: Letter[] = [];
    const aside = await this.keysAside(tx, steps);
    for (const step of steps) {
      const waits = step.message !== undefined && aside.has(step.message.key) && !this.isAlone(step.message);
      const { message, letter } = waits ? asLetter(step, 'follows-dead-letter', 'an earlier message of its key is kept aside', step.message.key) : step;
      if (letter !== undefined) {
        letters.push(letter);
        if (this.effect.followsDeadLetters && letter.key !== null) aside.add(letter.key);
      } else if (message !== undefined) messages.push(message);
    }
    return { messages, letters };
  }

  /** Keys with an open letter. Memory says quickly that there is none; where it says that there is one, the table decides. */
  private async keysAside(tx: Transaction, steps: readonly Step[]): Promise<Set<string>> {
    if (!this.effect.followsDeadLetters) return new Set();
    const keys = steps.flatMap(({ message }) => (message === undefined ? [] : [message.key])).filter((key) => this.letters.openCountByKey(this.writer, this.stream, key) > 0);
    return keys.length === 0 ? new Set() : this.letters.openAmong(tx, this, keys);
  }

  private isAlone(message: StreamMessage): boolean {
    return this.effect.standsAlone?.(message) ?? false;
  }

  private noteLetters(letters: readonly Letter[]): void {
    this.deadLettered += letters.length;
    this.letters.noteOpened(this, letters);
  }

  private tellEffect(messages: readonly StreamMessage[]): void {
    try {
      this.effect.applied?.(messages);
    } catch (error) {
      this.logger.error({ err: error, stream: this.stream }, 'what follows on applied messages failed');
    }
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.serial.then(work);
    this.serial = turn.catch(() => undefined);
    return turn;
  }
}

function asLetter(step: Step, reason: 'refused' | 'follows-dead-letter', detail: string, key: string | undefined): Step {
  const { number, incoming, message } = step;
  return { number, incoming, letter: letterOf(incoming, reason, detail, { number, key, v: message?.v }) };
}

interface PositionRow {
  readonly applied: string;
  readonly kafka_offset: string;
}

const POSITION: Statement = {
  name: 'lane_position',
  text: 'SELECT applied, kafka_offset FROM stream_applied WHERE region = $1 AND writer = $2 AND stream = $3 AND partition = $4',
};

const FIRST_POSITION: Statement = {
  name: 'lane_first_position',
  text: 'INSERT INTO stream_applied (region, writer, stream, partition) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
};

const MOVE: Statement = {
  name: 'lane_move',
  text: `UPDATE stream_applied SET applied = $6, kafka_offset = coalesce($7, kafka_offset)
         WHERE region = $1 AND writer = $2 AND stream = $3 AND partition = $4 AND applied = $5 RETURNING applied`,
};
