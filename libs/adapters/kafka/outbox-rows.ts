import type { Database, Statement } from '#adapters/postgres';
import { PARTITIONS, STREAMS, type StreamName } from '#kernel/wire';

/** A numbered event: its number and content never change again. */
export interface OutboxRow {
  readonly number: number;
  readonly version: number;
  readonly key: string;
  /** The payload's JSON text. */
  readonly payload: string;
}

export interface OutboxHead {
  readonly stream: StreamName;
  readonly partition: number;
  /** The highest number given. */
  readonly head: number;
  /** Up to here Kafka has acknowledged, or every peer has confirmed. */
  readonly sent: number;
}

/** One page of events by number, as the peer listener answers it. */
export interface OutboxPage {
  /** The messages' wire texts, ascending from the number asked for. */
  readonly items: readonly string[];
  readonly head: number;
  /** Lower numbers are gone: every peer had confirmed them. */
  readonly trimmedBelow: number;
}

/** Most events of one page, whatever a peer asks for. */
const MAX_PAGE = 1_000;

/** The outbox tables: every statement of the relay's, and the page that a peer pulls. */
export class OutboxRows {
  constructor(
    private readonly db: Database,
    private readonly region: string,
  ) {}

  /** Makes the rows of outbox_head, which numbering locks. */
  async prepare(): Promise<void> {
    await this.db.write(PREPARE, [[...STREAMS], PARTITIONS - 1]);
  }

  async heads(): Promise<OutboxHead[]> {
    const rows = await this.db.query<{ stream: StreamName; partition: number; head: string; sent: string }>(HEADS);
    return rows.map(({ stream, partition, head, sent }) => ({ stream, partition, head: Number(head), sent: Number(sent) }));
  }

  /** Streams and partitions that have rows without a number. */
  async waiting(): Promise<{ stream: StreamName; partition: number }[]> {
    return this.db.query(WAITING);
  }

  /**
   * Numbers the next rows of a partition in id order, without gaps, in a transaction of its own under that partition's
   * lock, and records what was acknowledged meanwhile.
   */
  async number(stream: StreamName, partition: number, sent: number, limit: number): Promise<OutboxRow[]> {
    return (await this.db.write<Batch>(NUMBER, [stream, partition, limit, sent])).flatMap(unpacked);
  }

  /** Numbered rows above `after`, ascending. */
  async numbered(stream: StreamName, partition: number, after: number, limit: number): Promise<OutboxRow[]> {
    const rows = (await this.db.query<Batch>(NUMBERED, [stream, partition, after, limit])).flatMap(unpacked);
    return rows.filter(({ number }) => number > after && number <= after + limit);
  }

  async recordSent(stream: StreamName, partition: number, sent: number): Promise<void> {
    await this.db.write(SENT, [stream, partition, sent]);
  }

  /** What the peers' own rows of stream_applied say, as replicated: the lowest of `peers` per stream and partition. */
  async replicatedApplied(): Promise<{ region: string; stream: StreamName; partition: number; applied: number }[]> {
    const rows = await this.db.query<{ region: string; stream: StreamName; partition: number; applied: string }>(APPLIED, [this.region]);
    return rows.map((row) => ({ ...row, applied: Number(row.applied) }));
  }

  /** Deletes at most `limit` batches numbered up to `through`; returns how many. */
  async trim(stream: StreamName, partition: number, through: number, limit: number): Promise<number> {
    const [row] = await this.db.write<{ count: number }>(TRIM, [stream, partition, through, limit]);
    return row?.count ?? 0;
  }

  /** How many rows are kept, estimated from the numbers, and the age of the oldest in ms (null when there is none). */
  async backlog(): Promise<{ depth: number; oldestMs: number | null }> {
    const [row] = await this.db.query<{ depth: string; oldest: number | null }>(BACKLOG);
    return { depth: Number(row?.depth ?? 0), oldestMs: row?.oldest ?? null };
  }

  /** Events from `fromNumber` on for a peer that misses them. */
  async page(stream: StreamName, partition: number, fromNumber: number, limit: number): Promise<OutboxPage> {
    const rows = await this.numbered(stream, partition, fromNumber - 1, Math.min(Math.max(limit, 1), MAX_PAGE));
    // After the rows: should they be trimmed in between, the page still begins where it was asked to.
    const [bounds] = await this.db.query<{ head: string; kept: string }>(BOUNDS, [stream, partition]);
    const items = rows.map((row) => this.encode(stream, partition, row));
    return { items, head: Number(bounds?.head ?? 0), trimmedBelow: Number(bounds?.kept ?? 1) };
  }

  /**
   * The wire text of a row, in the form of `encodeMessage`. The payload's text is taken as PostgreSQL gives it: it need
   * not be parsed, it is the same at every sending, and a row that a newer version wrote keeps that version.
   */
  encode(stream: StreamName, partition: number, { number, version, key, payload }: OutboxRow): string {
    return `{"v":${version},"writer":"${this.region}","stream":"${stream}","partition":${partition},"number":${number},"key":"${key}","payload":${payload}}`;
  }
}

/** As number_events makes it (migration 1799500000000). */
interface Batch {
  first: string;
  events: string;
}

function unpacked({ first, events }: Batch): OutboxRow[] {
  const firstNumber = Number(first);
  return events.split('\n').map((event, index) => {
    const keyAt = event.indexOf(' ') + 1;
    const payloadAt = event.indexOf(' ', keyAt) + 1;
    return { number: firstNumber + index, version: Number(event.slice(0, keyAt - 1)), key: event.slice(keyAt, payloadAt - 1), payload: event.slice(payloadAt) };
  });
}

const PREPARE = `
  INSERT INTO outbox_head (stream, partition) SELECT stream, partition FROM unnest($1::text[]) AS stream, generate_series(0, $2::int) AS partition
  ON CONFLICT DO NOTHING`;

const HEADS: Statement = { name: 'outbox_heads', text: 'SELECT stream, partition, head, sent FROM outbox_head' };

/** One look into the index for each partition, however many rows wait. */
const WAITING: Statement = {
  name: 'outbox_waiting',
  text: `SELECT stream, partition FROM outbox_head AS head
         CROSS JOIN LATERAL (SELECT FROM outbox WHERE stream = head.stream AND partition = head.partition LIMIT 1) AS first`,
};

/** All of it in one round trip. */
const NUMBER: Statement = { name: 'outbox_number', text: 'SELECT first, events FROM number_events($1, $2::smallint, $3::int, $4::bigint)' };

/** No batch is empty, so as many of them as events are enough; those beyond are left out before their events are read. */
const NUMBERED: Statement = {
  name: 'outbox_numbered',
  text: `
  SELECT first, events FROM (
    SELECT first, last, events FROM outbox_batch WHERE stream = $1 AND partition = $2 AND last > $3::bigint ORDER BY stream, partition, last LIMIT $4::bigint) AS next
  WHERE first <= $3::bigint + $4::bigint ORDER BY last`,
};

const SENT: Statement = { name: 'outbox_sent', text: 'UPDATE outbox_head SET sent = greatest(sent, $3::bigint) WHERE stream = $1 AND partition = $2' };

const APPLIED: Statement = { name: 'outbox_applied', text: 'SELECT region, stream, partition, applied FROM stream_applied WHERE writer = $1 AND region <> $1' };

/** What every peer has confirmed need not be sent any more either, so `sent` follows. */
const TRIM: Statement = {
  name: 'outbox_trim',
  text: `
  WITH gone AS (
    DELETE FROM outbox_batch WHERE stream = $1 AND partition = $2 AND last = ANY (ARRAY(
      SELECT last FROM outbox_batch WHERE stream = $1 AND partition = $2 AND last <= $3 ORDER BY stream, partition, last LIMIT $4)) RETURNING last
  ), moved AS (
    UPDATE outbox_head SET sent = greatest(sent, (SELECT max(last) FROM gone)) WHERE stream = $1 AND partition = $2
  )
  SELECT count(*)::int AS count FROM gone`,
};

/** The index answers each part from one end, however long the outbox is. */
const KEPT_FROM = `coalesce((SELECT first FROM outbox_batch WHERE stream = head.stream AND partition = head.partition ORDER BY last LIMIT 1), head.head + 1)`;
const oldestOf = (table: string, by: string): string =>
  `SELECT created_at FROM outbox_head AS head CROSS JOIN LATERAL (SELECT created_at FROM ${table} WHERE stream = head.stream AND partition = head.partition ORDER BY ${by} LIMIT 1) AS oldest`;

const BOUNDS: Statement = { name: 'outbox_bounds', text: `SELECT head, ${KEPT_FROM} AS kept FROM outbox_head AS head WHERE stream = $1 AND partition = $2` };

const BACKLOG: Statement = {
  name: 'outbox_backlog',
  text: `
  SELECT (SELECT coalesce(sum(head + 1 - ${KEPT_FROM}), 0) FROM outbox_head AS head) + (SELECT count(*) FROM outbox) AS depth,
         (SELECT (extract(epoch FROM clock_timestamp() - min(created_at)) * 1000)::float8 FROM (${oldestOf('outbox_batch', 'last')} UNION ALL ${oldestOf('outbox', 'id')}) AS kept) AS oldest`,
};
