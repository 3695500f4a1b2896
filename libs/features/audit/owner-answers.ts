import type { Database } from '#adapters/postgres';
import { type Schema, readSchema } from '#adapters/replication';
import { NotFoundError, UnavailableError } from '#kernel/problems';
import type { Beat } from '../heartbeats/index.js';
import { type Key, PAGE_ROWS, type Range, type RowCopied, type RowSeen, type SlotDigest, copiesByKey, endOfPage, reading, rowsByKey, rowsInSlots, slotDigests } from './read-rows.js';
import { COMPARED_PUBLISHED, type Source, isCarried, ownersSource } from './sources.js';

/** Where this owner's writing is: what it had committed before is in everything that it writes with a higher beat, and in events of these outbox rows or earlier ones. */
export interface Mark {
  readonly boot: string;
  readonly beat: number;
  readonly outbox: string;
}

/** The event numbers that stand for all outbox rows up to a mark, by `stream/partition`; null while one has no number yet. */
export type MarkedHeads = Readonly<Record<string, number>> | null;

/** A table as a peer asks about it. */
export interface AskedTable {
  readonly table: string;
  /** Of a published table, those that both sides have. */
  readonly columns: readonly string[];
}

/** Most rows of one answer of `rowsInSlots`: a page of digests has no more. */
const MOST_ROWS = 2 * PAGE_ROWS;

const HIGHEST = { name: 'audit-outbox', text: 'SELECT coalesce(max(id), 0)::text AS id FROM outbox' };
/** Numbering changes both tables in one transaction, so this one statement sees them as they belong together. */
const HEADS = {
  name: 'audit-heads',
  text: `SELECT stream || '/' || partition AS place, head::float8 AS head FROM outbox_head
         WHERE stream = ANY ($2) AND NOT EXISTS (SELECT FROM outbox WHERE stream = ANY ($2) AND id <= $1)`,
};
/** The streams whose effects are compared. */
const STREAMS = ['accounts', 'epochs'];

/** What this region, as the owner of its rows, answers to a peer that audits its copy: from its own database alone, page by page. */
export class OwnerAnswers {
  private schema: Schema | undefined;

  constructor(
    private readonly database: Database,
    private readonly own: string,
    private readonly beat: Beat,
  ) {}

  /** The columns of every compared table; migrations run before a process serves, so they are read once. */
  async columns(): Promise<Schema> {
    this.schema ??= await readSchema(this.database, COMPARED_PUBLISHED);
    return this.schema;
  }

  /** Of a range, or of its first part where the peer's copy lacks so much of it that it would be long: `through` says how far. */
  async digests(asked: AskedTable, range: Range): Promise<{ through: Key | null; slots: SlotDigest[] }> {
    const source = await this.source(asked);
    return reading(this.database, async (tx) => {
      const through = (await endOfPage(tx, source, this.own, range, 2 * PAGE_ROWS)) ?? range.through;
      return { through, slots: await slotDigests(tx, source, this.own, { after: range.after, through }) };
    });
  }

  async rowsInSlots(asked: AskedTable, range: Range, slots: readonly number[]): Promise<RowSeen[]> {
    const source = await this.source(asked);
    return reading(this.database, (tx) => rowsInSlots(tx, source, this.own, range, slots, MOST_ROWS));
  }

  async rows(asked: AskedTable, keys: readonly Key[]): Promise<RowSeen[]> {
    const source = await this.source(asked);
    return reading(this.database, (tx) => rowsByKey(tx, source, this.own, keys));
  }

  async copies(asked: AskedTable, keys: readonly Key[]): Promise<RowCopied[]> {
    const source = await this.source(asked);
    return reading(this.database, (tx) => copiesByKey(tx, source, this.own, keys));
  }

  /** @throws UnavailableError before the first heartbeat */
  async mark(): Promise<Mark> {
    const [row] = await this.database.query<{ id: string }>(HIGHEST);
    const now = this.beat.now();
    if (now === undefined) throw new UnavailableError('postgres');
    return { boot: now.boot, beat: now.beat, outbox: row!.id };
  }

  async heads(outbox: string): Promise<MarkedHeads> {
    const rows = await this.database.query<{ place: string; head: number }>(HEADS, [outbox, STREAMS]);
    return rows.length === 0 ? null : Object.fromEntries(rows.map(({ place, head }) => [place, head]));
  }

  /** @throws NotFoundError for a table or column that is not compared here */
  private async source({ table, columns }: AskedTable): Promise<Source> {
    if (isCarried(table)) return ownersSource(table, []);
    const known = (await this.columns())[table];
    const asked = known?.filter(({ name }) => columns.includes(name));
    if (known === undefined || asked!.length !== columns.length) throw new NotFoundError('This table, or a column of it, is not compared here');
    return ownersSource(table, asked!);
  }
}
