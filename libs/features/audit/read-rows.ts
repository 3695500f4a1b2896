import type { Database, Transaction } from '#adapters/postgres';
import { PLAIN_TEXTS, identifier } from '#adapters/replication';
import { limits } from '#kernel/config';
import type { Source } from './sources.js';

/** A row's primary key as texts, in the key's order. */
export type Key = readonly string[];
/** Slot, rows in it, and the exclusive or of their digests: the same whatever the order and the paging. */
export type SlotDigest = readonly [slot: number, rows: number, digest: string];

/** A row as it was read, without its content. `mark` changes with every write of it in that database: its transaction (xmin). */
export interface RowSeen {
  readonly key: Key;
  readonly digest: string;
  readonly mark: string;
}

/** The same with the content, as a repair takes it. */
export interface RowCopied extends RowSeen {
  readonly value: string;
}

/** From after the one key to the other, both in the columns of the source's range; null: no bound. */
export interface Range {
  readonly after: Key | null;
  readonly through: Key | null;
}

/** Rows of a page: some 60 ms of one connection in each region, so that the work between two pauses is small. */
export const PAGE_ROWS = 20_000;

/** One transaction in which rows read the same in every region. */
export function reading<T>(database: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return database.transact(async (tx) => {
    await tx.query(PLAIN_TEXTS);
    return work(tx);
  }, limits.databaseBatchMs);
}

/** The key up to which `owner`'s first `rows` rows of a range go; null where there are fewer. */
export async function endOfPage(tx: Transaction, source: Source, owner: string, range: Range, rows: number): Promise<Key | null> {
  const bounds = between(source, range, 2);
  const columns = rangeOf(source);
  const [row] = await tx.query<{ at: Key }>(`SELECT jsonb_build_array(${columns.map((column) => `${column}::text`).join(', ')}) AS at
    ${source.scan} ${bounds.text} ORDER BY ${columns.join(', ')} OFFSET ${Math.trunc(rows) - 1} LIMIT 1`, [owner, ...bounds.values]);
  return row?.at ?? null;
}

/**
 * Digests by slot of `owner`'s rows in a range, computed in the database. A server that hashes otherwise (another byte order)
 * makes everything a candidate, which costs time and finds nothing: rows are then compared by MD5.
 */
export async function slotDigests(tx: Transaction, source: Source, owner: string, range: Range): Promise<SlotDigest[]> {
  const bounds = between(source, range, 2);
  const rows = await tx.query<{ slot: number; rows: number; digest: string }>(
    `SELECT slot, count(*)::int AS rows, bit_xor(hashtextextended(row, 0))::text AS digest
     FROM (SELECT ${source.slot} AS slot, ${source.row} AS row ${source.scan} ${bounds.text}) s GROUP BY slot`,
    [owner, ...bounds.values],
  );
  return rows.map(({ slot, rows: count, digest }) => [slot, count, digest]);
}

/** The rows of some slots in a range, each with its digest. */
export function rowsInSlots(tx: Transaction, source: Source, owner: string, range: Range, slots: readonly number[], most: number): Promise<RowSeen[]> {
  const bounds = between(source, range, 3);
  return tx.query<RowSeen>(`SELECT ${seen(source)} ${source.scan} ${bounds.text} AND ${source.slot} = ANY($2::int[]) LIMIT ${Math.trunc(most)}`, [owner, slots, ...bounds.values]);
}

/** The rows of these keys that are there. */
export function rowsByKey(tx: Transaction, source: Source, owner: string, keys: readonly Key[]): Promise<RowSeen[]> {
  return tx.query<RowSeen>(`SELECT ${seen(source)} ${source.lookup} ${amongKeys(source)}`, [owner, ...byColumn(source, keys)]);
}

/** The same, with what a repair takes. */
export function copiesByKey(tx: Transaction, source: Source, owner: string, keys: readonly Key[]): Promise<RowCopied[]> {
  return tx.query<RowCopied>(`SELECT ${seen(source)}, ${source.value} AS value ${source.lookup} ${amongKeys(source)}`, [owner, ...byColumn(source, keys)]);
}

/** Locks the rows of these keys in the own database and tells what stands there, whole. */
export function lockByKey(tx: Transaction, source: Source, owner: string, keys: readonly Key[]): Promise<(RowSeen & { readonly whole: object })[]> {
  return tx.query(`SELECT ${seen(source)}, to_jsonb(t) AS whole ${source.lookup} ${amongKeys(source)} ORDER BY ${source.key.map(({ name }) => `t.${identifier(name)}`).join(', ')} FOR UPDATE OF t`, [owner, ...byColumn(source, keys)]);
}

function seen(source: Source): string {
  return `jsonb_build_array(${source.key.map(({ name }) => `t.${identifier(name)}::text`).join(', ')}) AS key, md5(${source.row}) AS digest, t.xmin::text AS mark`;
}

const rangeOf = (source: Source): string[] => source.range.map(({ name }) => `t.${identifier(name)}`);

/** @param first number of the first parameter that is free */
function between(source: Source, { after, through }: Range, first: number): { text: string; values: string[] } {
  const columns = rangeOf(source).join(', ');
  const values: string[] = [];
  const bound = (key: Key, sign: string): string => {
    const places = source.range.map(({ type }, index) => `$${first + values.push(key[index]!) - 1}::${type}`);
    return ` AND (${columns}) ${sign} (${places.join(', ')})`;
  };
  const text = (after === null ? '' : bound(after, '>')) + (through === null ? '' : bound(through, '<='));
  return { text, values };
}

function amongKeys({ key }: Source): string {
  const columns = key.map(({ name }) => `t.${identifier(name)}`).join(', ');
  return `AND (${columns}) IN (SELECT * FROM unnest(${key.map(({ type }, index) => `$${index + 2}::${type}[]`).join(', ')}))`;
}

function byColumn({ key }: Source, keys: readonly Key[]): string[][] {
  return key.map((_, index) => keys.map((values) => values[index]!));
}
