import type { Column } from './inspect.js';
import { identifier, literal } from './names.js';
import { keyColumns } from './schema-difference.js';
import type { OwnTransaction } from './own-database.js';
import type { Session } from './session.js';
import { timings } from './timings.js';

/** One table to copy: the columns that the peer publishes, all of which exist here with the same types. */
export interface CopiedTable {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** What a merge changed here. */
export interface MergeCounts {
  copied: number;
  written: number;
  deleted: number;
}

interface Row {
  readonly row: string;
}

const staging = (table: string): string => `pg_temp.${identifier(`copy_of_${table}`)}`;
const own = (table: string): string => `public.${identifier(table)}`;
const names = (columns: readonly Column[]): string => columns.map(({ name }) => identifier(name)).join(', ');

/**
 * Brings the owner's rows of one table into a temporary table here, page by page through a cursor of the peer's open
 * transaction. Values travel as text, which every type reads back as it wrote it once date style and zone are fixed.
 * @returns rows copied
 */
export async function stage(peer: Session, here: Session, table: CopiedTable, owner: string, signal: AbortSignal): Promise<number> {
  await here.query(`DROP TABLE IF EXISTS ${staging(table.name)}`, undefined, timings.ownQueryMs);
  await here.query(`CREATE TEMP TABLE ${identifier(`copy_of_${table.name}`)} AS SELECT ${names(table.columns)} FROM ${own(table.name)} WITH NO DATA`, undefined, timings.ownQueryMs);
  const asText = table.columns.map(({ name }) => `${identifier(name)}::text`).join(', ');
  const cursor = identifier(`page_of_${table.name}`);
  const fetch = `FETCH ${timings.pageRows} FROM ${cursor}`;
  const declare = `DECLARE ${cursor} NO SCROLL CURSOR FOR SELECT row_to_json(r)::text AS row FROM (SELECT ${asText} FROM ${own(table.name)} WHERE region = ${literal(owner)}) r`;
  const insert = insertPage(table);
  let copied = 0;
  // Declared and begun in one round trip: over a slow link the round trips of six small tables are what a copy costs.
  for (let page: readonly Row[] = await peer.query<Row>(`${declare}; ${fetch}`, undefined, timings.pageMs); page.length > 0; ) {
    signal.throwIfAborted();
    const rows = page;
    const next = rows.length < timings.pageRows ? [] : peer.query<Row>(fetch, undefined, timings.pageMs);
    // The next page is on its way while this one is stored: two are held at most.
    [page] = await Promise.all([next, here.query(insert, [`[${rows.map(({ row }) => row).join(',')}]`], timings.pageMs)]);
    copied += rows.length;
  }
  await here.query(`ANALYZE ${staging(table.name)}`, undefined, timings.pageMs);
  return copied;
}

function insertPage({ name, columns }: CopiedTable): string {
  const values = columns.map((column) => `r.${identifier(column.name)}::${column.type}`).join(', ');
  const record = columns.map((column) => `${identifier(column.name)} text`).join(', ');
  return `INSERT INTO ${staging(name)} (${names(columns)}) SELECT ${values} FROM json_to_recordset($1::json) AS r (${record})`;
}

/**
 * Makes the owner's rows here equal to the staged ones: writes what differs, deletes what is gone there. Runs inside the
 * caller's transaction, so readers see the old rows until all tables are done, and never an empty one. An equal row is not
 * touched, so the triggers of arriving rows fire for real changes alone.
 */
export async function merge(here: Session, table: CopiedTable, owner: string): Promise<Omit<MergeCounts, 'copied'>> {
  const sameKey = keyColumns(table.columns).map((name) => `copied.${identifier(name)} = known.${identifier(name)}`).join(' AND ');
  const [deleted] = await here.query<{ rows: number }>(
    `WITH gone AS (DELETE FROM ${own(table.name)} AS known WHERE region = $1 AND NOT EXISTS (SELECT FROM ${staging(table.name)} AS copied WHERE ${sameKey}) RETURNING 1)
     SELECT count(*)::integer AS rows FROM gone`,
    [owner],
    timings.mergeMs,
  );
  const [written] = await here.query<{ rows: number }>(upsertStaged(table), undefined, timings.mergeMs);
  return { written: written!.rows, deleted: deleted!.rows };
}

function upsertStaged(table: CopiedTable): string {
  const rest = table.columns.filter((column) => column.key === null);
  const update =
    rest.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${rest.map(({ name }) => `${identifier(name)} = excluded.${identifier(name)}`).join(', ')}
         WHERE (${rest.map(({ name }) => `known.${identifier(name)}`).join(', ')}) IS DISTINCT FROM (${rest.map(({ name }) => `excluded.${identifier(name)}`).join(', ')})`;
  return `WITH changed AS (INSERT INTO ${own(table.name)} AS known (${names(table.columns)}) SELECT ${names(table.columns)} FROM ${staging(table.name)}
       ON CONFLICT (${keyColumns(table.columns).map(identifier).join(', ')}) ${update} RETURNING 1)
     SELECT count(*)::integer AS rows FROM changed`;
}

/** Single rows of one owner, for a repair: `rows` as JSON of texts, each column by its name, and the keys of rows that are gone at the owner. */
export interface MergedRows {
  readonly owner: string;
  readonly rows: readonly string[];
  /** The primary key's columns in their order, as texts. */
  readonly gone: readonly (readonly string[])[];
}

/**
 * The same path for single rows, in a transaction of the caller, who knows that the owner's rows have not changed since they
 * were read and that everything up to there has been applied here (libs/features/audit/apply-repair.ts).
 * @throws Error where a row is not the owner's
 */
export async function mergeRows(tx: OwnTransaction, table: CopiedTable, { owner, rows, gone }: MergedRows): Promise<void> {
  if (rows.some((row) => (JSON.parse(row) as { region?: string }).region !== owner)) throw new Error(`a row of ${table.name} is not of ${owner}`);
  await tx.query('SET LOCAL session_replication_role = replica');
  if (gone.length > 0) {
    const key = keyColumns(table.columns);
    const values = key.map((name, index) => `(k ->> ${index})::${table.columns.find((column) => column.name === name)!.type}`).join(', ');
    await tx.query(`DELETE FROM ${own(table.name)} WHERE region = $1 AND (${key.map(identifier).join(', ')}) IN (SELECT ${values} FROM jsonb_array_elements($2::jsonb) AS k)`, [owner, JSON.stringify(gone)]);
  }
  if (rows.length === 0) return;
  await tx.query(`CREATE TEMP TABLE ${identifier(`copy_of_${table.name}`)} ON COMMIT DROP AS SELECT ${names(table.columns)} FROM ${own(table.name)} WITH NO DATA`);
  await tx.query(insertPage(table), [`[${rows.join(',')}]`]);
  await tx.query(upsertStaged(table));
}
