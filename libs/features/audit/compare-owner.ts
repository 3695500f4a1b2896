import type { Database } from '#adapters/postgres';
import { type Column, readSchema } from '#adapters/replication';
import { type Candidate, type CompareParts, type Confirmed, confirm } from './confirm.js';
import type { Kind } from './judge.js';
import { type Owner, OwnerUnavailableError } from './owner.js';
import type { AskedTable } from './owner-answers.js';
import { type Key, PAGE_ROWS, type Range, type RowSeen, type SlotDigest, endOfPage, reading, rowsInSlots, slotDigests } from './read-rows.js';
import { COMPARED_PUBLISHED, COMPARED_TABLES, type Source, agreedColumns, copySource, isCarried } from './sources.js';

/** What an audit says about the copy of one owner's table. */
export interface TableResult {
  /** Rows that the owner has. */
  rows: number;
  missing: number;
  different: number;
  surplus: number;
  /** Rows that changed each time they were looked at, or whose channel is behind: nothing is said about them. */
  undecided: number;
  /** There is more than this that differs: a copy is to be asked for. */
  truncated?: true;
  /** Why the table was not compared. */
  skipped?: string;
}

/** A row of a copy that is not as its owner has it. */
export interface Finding {
  readonly owner: string;
  readonly table: string;
  readonly key: Key;
  readonly kind: Kind;
}

export interface OwnerResult {
  readonly owner: string;
  /** Why it could not be compared to the end; absent where it was. */
  readonly unavailable?: string;
  readonly tables: Record<string, TableResult>;
  readonly findings: readonly Finding[];
}

/** Most candidates of one table; more is no divergence of rows but a copy that was lost. */
const MOST_CANDIDATES = 2 * PAGE_ROWS;

/** A table with the columns in which it is compared. */
export interface ComparedTable {
  readonly table: string;
  readonly columns: readonly Column[];
}

/** The tables that both sides have; the others, with the reason why not. @throws OwnerUnavailableError */
export async function agreeOnTables(database: Database, owner: Owner): Promise<{ agreed: ComparedTable[]; skipped: Record<string, string> }> {
  const [mine, theirs] = [await readSchema(database, COMPARED_PUBLISHED), await owner.columns()];
  const agreed: ComparedTable[] = [];
  const skipped: Record<string, string> = {};
  for (const table of COMPARED_TABLES) {
    const columns = isCarried(table) ? [] : agreedColumns(mine[table] ?? [], theirs[table] ?? []);
    if (columns === undefined || (columns.length === 0 && !isCarried(table))) skipped[table] = 'schema-differs';
    else agreed.push({ table, columns });
  }
  return { agreed, skipped };
}

/**
 * Compares this region's copies of one owner's rows with the owner's: digests propose candidates, table by table and page by
 * page; what the four looks of `judge` confirm is a finding.
 */
export async function compareOwner(parts: CompareParts): Promise<OwnerResult> {
  const tables: Record<string, TableResult> = {};
  const name = parts.owner.name;
  try {
    const { agreed, skipped } = await agreeOnTables(parts.database, parts.owner);
    for (const [table, why] of Object.entries(skipped)) tables[table] = { ...nothing(), skipped: why };
    const candidates: Candidate[] = [];
    for (const compared of agreed) candidates.push(...(await propose(parts, compared, (tables[compared.table] = nothing()))));
    const confirmed = await confirm(parts, candidates);
    return { owner: name, tables, findings: count(tables, name, confirmed) };
  } catch (error) {
    if (!(error instanceof OwnerUnavailableError)) throw error;
    return { owner: name, unavailable: error.why, tables, findings: [] };
  }
}

const nothing = (): TableResult => ({ rows: 0, missing: 0, different: 0, surplus: 0, undecided: 0 });

/** Pages of one table: the digests of both sides, then the rows of slots that differ, the own ones first. */
async function propose(parts: CompareParts, { table, columns }: ComparedTable, result: TableResult): Promise<Candidate[]> {
  const { database, owner, pace } = parts;
  const asked: AskedTable = { table, columns: columns.map(({ name }) => name) };
  const copy = copySource(table, columns);
  const candidates: Candidate[] = [];
  let after: Key | null = null;
  do {
    const { range, mine, theirs } = await pace.take(() => bothDigests(parts, asked, copy, after));
    result.rows += theirs.reduce((sum, [, rows]) => sum + rows, 0);
    const slots = differingSlots(mine, theirs);
    if (slots.length > 0) {
      await pace.take(async () => {
        const here = await reading(database, (tx) => rowsInSlots(tx, copy, owner.name, range, slots, MOST_CANDIDATES));
        for (const candidate of differingRows(table, columns, here, await owner.rowsInSlots(asked, range, slots))) candidates.push(candidate);
      });
    }
    after = range.through;
    if (candidates.length > MOST_CANDIDATES) result.truncated = true;
  } while (after !== null && !result.truncated);
  return candidates;
}

/** The next page by the own rows, digested by both databases at the same time. */
async function bothDigests({ database, owner }: CompareParts, asked: AskedTable, copy: Source, after: Key | null): Promise<{ range: Range; mine: SlotDigest[]; theirs: SlotDigest[] }> {
  const through = await reading(database, (tx) => endOfPage(tx, copy, owner.name, { after, through: null }, PAGE_ROWS));
  const ownDigests = (range: Range): Promise<SlotDigest[]> => reading(database, (tx) => slotDigests(tx, copy, owner.name, range));
  const [page, mine] = await Promise.all([owner.digests(asked, { after, through }), ownDigests({ after, through })]);
  const range = { after, through: page.through };
  return { range, mine: JSON.stringify(page.through) === JSON.stringify(through) ? mine : await ownDigests(range), theirs: page.slots };
}

/** Slots whose digests are not the same on both sides. Pure. */
export function differingSlots(mine: readonly SlotDigest[], theirs: readonly SlotDigest[]): number[] {
  const text = ([, rows, digest]: SlotDigest): string => `${rows} ${digest}`;
  const [here, there] = [new Map(mine.map((entry) => [entry[0], text(entry)])), new Map(theirs.map((entry) => [entry[0], text(entry)]))];
  return [...new Set([...here.keys(), ...there.keys()])].filter((slot) => here.get(slot) !== there.get(slot));
}

/** Rows that are not the same on both sides, with the two looks at them. Pure. */
export function differingRows(table: string, columns: readonly Column[], mine: readonly RowSeen[], theirs: readonly RowSeen[]): Candidate[] {
  const [here, there] = [byKey(mine), byKey(theirs)];
  return [...new Set([...here.keys(), ...there.keys()])]
    .filter((key) => here.get(key)?.digest !== there.get(key)?.digest)
    .map((key) => ({ table, columns, key: JSON.parse(key) as Key, copyBefore: here.get(key), ownerBefore: there.get(key) }));
}

const byKey = (rows: readonly RowSeen[]): Map<string, RowSeen> => new Map(rows.map((row) => [JSON.stringify(row.key), row]));

function count(tables: Record<string, TableResult>, owner: string, confirmed: readonly Confirmed[]): Finding[] {
  for (const { table, kind } of confirmed) tables[table]![kind] += 1;
  return confirmed.flatMap(({ table, key, kind }) => (kind === 'undecided' ? [] : [{ owner, table, key, kind }]));
}
