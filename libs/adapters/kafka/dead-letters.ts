import type { Logger } from 'pino';
import type { Database, Statement, Transaction } from '#adapters/postgres';
import { limits } from '#kernel/config';
import { newId } from '#kernel/ids';
import { type StreamName, WIRE_VERSION, decodeMessage } from '#kernel/wire';
import type { Address, Letter } from './plan-run.js';
import type { StreamEffect } from './stream-effect.js';

/** How a replay ended. */
export type ReplayOutcome =
  | { readonly outcome: 'replayed'; readonly followers: number }
  | { readonly outcome: 'not-found' }
  | { readonly outcome: 'already-replayed' }
  /** It still can't be read: its version is still unknown, or it is malformed. */
  | { readonly outcome: 'unreadable'; readonly detail: string }
  /** An earlier message of its key is still kept aside and must be replayed first. */
  | { readonly outcome: 'behind-another'; readonly first: string }
  | { readonly outcome: 'refused'; readonly detail: string };

/** Most letters of unknown version that one round replays. */
const ROUND_LETTERS = 500;

/**
 * Messages that could not be applied, kept whole (design, rule 4). Remembers which keys have open letters, so that the
 * common path asks nothing.
 */
export class DeadLetters {
  private open = new Map<string, number>();
  /** By partition, the lowest Kafka offset of an open letter whose bytes had no number. */
  private strays = new Map<string, number>();
  private loaded = false;

  constructor(
    private readonly own: string,
    private readonly db: Database,
    private readonly effects: readonly StreamEffect[],
    private readonly logger: Logger,
  ) {}

  /** Reads which keys have open letters: at start, after another process's work was noticed, and each minute. */
  async load(): Promise<void> {
    const rows = await this.db.query<{ writer: string; stream: StreamName; key: string; count: number }>(OPEN_KEYS);
    this.open = new Map(rows.map(({ writer, stream, key, count }) => [keyOf(writer, stream, key), count]));
    const strays = await this.db.query<Address & { offset: string }>(OPEN_STRAYS);
    this.strays = new Map(strays.map((stray) => [placeOf(stray), Number(stray.offset)]));
    this.loaded = true;
  }

  async ensureLoaded(): Promise<void> {
    if (!this.loaded) await this.load();
  }

  /** How many open letters a key has, from memory. */
  openCountByKey(writer: string, stream: StreamName, key: string): number {
    return this.open.get(keyOf(writer, stream, key)) ?? 0;
  }

  /** Of `keys`, those with an open letter, by the table. */
  async openAmong(tx: Transaction, { writer, stream }: Address, keys: readonly string[]): Promise<Set<string>> {
    const rows = await tx.query<{ key: string }>(OPEN_AMONG, [writer, stream, keys]);
    return new Set(rows.map(({ key }) => key));
  }

  /**
   * Keeps letters and returns those that were not there already. In a transaction, call `noteOpened` with them after its
   * COMMIT.
   */
  async record(tx: Pick<Transaction, 'query'>, { writer, stream, partition }: Address, letters: readonly Letter[]): Promise<Letter[]> {
    const fresh: Letter[] = [];
    for (const letter of letters) {
      const { number, offset, key, version, body, reason, detail } = letter;
      const rows = await tx.query(RECORD, [newId(), writer, stream, partition, number, offset, key, version, body, reason, detail]);
      if (rows.length > 0) fresh.push(letter);
    }
    return fresh;
  }

  noteOpened(address: Address, letters: readonly Letter[]): void {
    for (const { key, number, offset, reason } of letters) {
      const { writer, stream, partition } = address;
      this.logger.error({ writer, stream, partition, number, reason }, 'a message was kept aside as a dead letter');
      if (number === null && offset !== null) this.strays.set(placeOf(address), Math.min(offset, this.strays.get(placeOf(address)) ?? offset));
      if (key !== null) this.open.set(keyOf(writer, stream, key), this.openCountByKey(writer, stream, key) + 1);
    }
  }

  /**
   * Closes the letters of malformed bytes that lie before `passed`, the Kafka offset of a message whose number is applied:
   * whatever they were, nothing is missing up to there. They stay in the table, whole.
   */
  async settleStrays(address: Address, passed: number): Promise<void> {
    if ((this.strays.get(placeOf(address)) ?? Infinity) >= passed) return;
    const { writer, stream, partition } = address;
    await this.db.write(SETTLE, [writer, stream, partition, passed]);
    this.strays.delete(placeOf(address));
  }

  /**
   * Applies one letter and, when that succeeded, the later ones of its key that only followed it.
   * @throws DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async replay(id: string): Promise<ReplayOutcome> {
    const [letter] = await this.db.query<LetterRow>(BY_ID, [id]);
    if (letter === undefined) return { outcome: 'not-found' };
    const outcome = await this.replayOne(letter);
    if (outcome.outcome !== 'replayed' || letter.key === null) return outcome;
    const rows = await this.db.query<LetterRow>(FOLLOWERS, [letter.writer, letter.stream, letter.key]);
    let followers = 0;
    for (const follower of rows) {
      if ((await this.replayOne(follower)).outcome !== 'replayed') break;
      followers += 1;
    }
    return { outcome: 'replayed', followers };
  }

  /** Replays what waits for a version that is known by now; returns how many were applied. */
  async replayUnderstood(): Promise<number> {
    let replayed = 0;
    for (const { id, body } of await this.db.query<{ id: string; body: string }>(UNKNOWN_VERSION, [WIRE_VERSION, ROUND_LETTERS])) {
      if (!decodeMessage(body).ok) continue;
      const outcome = await this.replay(id);
      if (outcome.outcome === 'replayed') replayed += 1 + outcome.followers;
      else this.logger.warn({ id, outcome: outcome.outcome }, 'a message whose version is known now could not be replayed');
    }
    if (replayed > 0) this.logger.info({ replayed }, 'messages of a version that is known now were replayed');
    return replayed;
  }

  private async replayOne(letter: LetterRow): Promise<ReplayOutcome> {
    const decoded = decodeMessage(letter.body);
    if (!decoded.ok) return { outcome: 'unreadable', detail: decoded.detail };
    const { message } = decoded;
    const effect = this.effects.find(({ stream }) => stream === letter.stream);
    if (effect === undefined || message.writer !== letter.writer || message.stream !== letter.stream) return { outcome: 'unreadable', detail: 'the message belongs to another writer or stream' };
    const outcome = await this.applyUnderLock(letter, async (tx) => {
      const follows = effect.followsDeadLetters && !effect.standsAlone?.(message);
      const [first] = follows ? await tx.query<{ id: string }>(EARLIER, [letter.writer, letter.stream, message.key, message.number]) : [];
      if (first !== undefined) return { outcome: 'behind-another', first: first.id };
      await effect.applyBatch(tx, [message]);
      await tx.query(REPLAYED, [letter.id]);
      return { outcome: 'replayed', followers: 0 };
    });
    if (outcome.outcome === 'replayed') {
      this.noteClosed(letter);
      effect.applied?.([message]);
    }
    return outcome;
  }

  /** Under the lock of the position, so that no follower is put behind a letter that is being replayed. */
  private async applyUnderLock(letter: LetterRow, apply: (tx: Transaction) => Promise<ReplayOutcome>): Promise<ReplayOutcome> {
    try {
      return await this.db.transact(async (tx): Promise<ReplayOutcome> => {
        await tx.query(LOCK_POSITION, [this.own, letter.writer, letter.stream, letter.partition]);
        const [still] = await tx.query<{ replayed: boolean }>(STILL_OPEN, [letter.id]);
        return still === undefined ? { outcome: 'not-found' } : still.replayed ? { outcome: 'already-replayed' } : apply(tx);
      }, limits.databaseBatchMs);
    } catch (error) {
      if (isPoison(error)) return { outcome: 'refused', detail: (error as Error).message };
      throw error;
    }
  }

  private noteClosed({ writer, stream, key }: LetterRow): void {
    if (key === null) return;
    const left = this.openCountByKey(writer, stream, key) - 1;
    if (left > 0) this.open.set(keyOf(writer, stream, key), left);
    else this.open.delete(keyOf(writer, stream, key));
  }
}

/** SQLSTATE classes that say something about the database or the schema, never about one message. */
const ENVIRONMENT = /^(08|0A|25|28|3D|3F|40|42|53|55|57|58|F0|XX)/;

/** Whether an error lies in the data: then the message is kept aside. Anything else is tried again. */
export function isPoison(error: unknown): boolean {
  if (!(error instanceof Error) || /^(DatabaseUnavailable|DatabaseOutcomeUnknown|StalePosition)Error$/.test(error.name)) return false;
  return !('severity' in error && 'code' in error && typeof error.code === 'string' && ENVIRONMENT.test(error.code));
}

interface LetterRow {
  readonly id: string;
  readonly writer: string;
  readonly stream: StreamName;
  readonly partition: number;
  readonly key: string | null;
  readonly body: string;
}

function keyOf(writer: string, stream: StreamName, key: string): string {
  return `${writer}/${stream}/${key}`;
}

function placeOf({ writer, stream, partition }: Address): string {
  return `${writer}/${stream}/${partition}`;
}

const LETTER = 'id, writer, stream, partition, key, body';

const OPEN_KEYS: Statement = {
  name: 'letters_open_keys',
  text: 'SELECT writer, stream, key, count(*)::int AS count FROM dead_letter WHERE replayed_at IS NULL AND key IS NOT NULL GROUP BY writer, stream, key',
};

const OPEN_AMONG: Statement = {
  name: 'letters_open_among',
  text: 'SELECT DISTINCT key FROM dead_letter WHERE writer = $1 AND stream = $2 AND key = ANY ($3::text[]) AND replayed_at IS NULL',
};

const OPEN_STRAYS: Statement = {
  name: 'letters_open_strays',
  text: `SELECT writer, stream, partition, min(kafka_offset) AS offset FROM dead_letter
         WHERE replayed_at IS NULL AND number IS NULL AND kafka_offset IS NOT NULL AND reason = 'malformed' GROUP BY writer, stream, partition`,
};

const SETTLE: Statement = {
  name: 'letters_settle',
  text: `UPDATE dead_letter SET replayed_at = clock_timestamp(), detail = detail || '; every event up to a later place in Kafka was applied'
         WHERE writer = $1 AND stream = $2 AND partition = $3 AND kafka_offset < $4 AND number IS NULL AND reason = 'malformed' AND replayed_at IS NULL`,
};

const RECORD: Statement = {
  name: 'letters_record',
  text: `INSERT INTO dead_letter (id, writer, stream, partition, number, kafka_offset, key, version, body, reason, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id`,
};

const BY_ID: Statement = { name: 'letters_by_id', text: `SELECT ${LETTER} FROM dead_letter WHERE id = $1` };

const FOLLOWERS: Statement = {
  name: 'letters_followers',
  text: `SELECT ${LETTER} FROM dead_letter WHERE writer = $1 AND stream = $2 AND key = $3 AND replayed_at IS NULL AND reason = 'follows-dead-letter' ORDER BY number`,
};

const UNKNOWN_VERSION: Statement = {
  name: 'letters_unknown_version',
  text: `SELECT id, body FROM dead_letter WHERE reason = 'unknown-version' AND replayed_at IS NULL AND number IS NOT NULL
         AND coalesce(version, 0) <= $1 ORDER BY writer, stream, partition, number LIMIT $2`,
};

const EARLIER: Statement = {
  name: 'letters_earlier',
  text: 'SELECT id FROM dead_letter WHERE writer = $1 AND stream = $2 AND key = $3 AND number < $4 AND replayed_at IS NULL ORDER BY number LIMIT 1',
};

const LOCK_POSITION: Statement = {
  name: 'letters_lock_position',
  text: 'SELECT 1 FROM stream_applied WHERE region = $1 AND writer = $2 AND stream = $3 AND partition = $4 FOR UPDATE',
};

const STILL_OPEN: Statement = { name: 'letters_still_open', text: 'SELECT replayed_at IS NOT NULL AS replayed FROM dead_letter WHERE id = $1 FOR UPDATE' };

const REPLAYED: Statement = { name: 'letters_replayed', text: 'UPDATE dead_letter SET replayed_at = clock_timestamp() WHERE id = $1' };
