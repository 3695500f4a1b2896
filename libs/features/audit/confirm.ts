import type { Database } from '#adapters/postgres';
import type { Column } from '#adapters/replication';
import { type Kind, type Look, judge } from './judge.js';
import { untilMarkApplied } from './marker.js';
import type { Owner } from './owner.js';
import type { Pace } from './pace.js';
import { type Key, type RowSeen, reading, rowsByKey } from './read-rows.js';
import { copySource, waysOf } from './sources.js';

/** This region, the owner whose rows it has copies of, and how fast it may go. */
export interface CompareParts {
  readonly own: string;
  readonly database: Database;
  readonly owner: Owner;
  readonly pace: Pace;
}

/** A row that may differ, with the first two looks at it: the copy's, then the owner's. */
export interface Candidate {
  readonly table: string;
  readonly columns: readonly Column[];
  readonly key: Key;
  readonly copyBefore: Look;
  readonly ownerBefore: Look;
}

export interface Confirmed {
  readonly table: string;
  readonly key: Key;
  readonly kind: Kind | 'undecided';
}

/** Rows of one question. */
const BATCH = 500;
/** How often a row that keeps changing is looked at again. */
const ROUNDS = 5;

/**
 * Takes the second pair of looks at each candidate, and further pairs at those that changed meanwhile.
 * @returns what is wrong, and what could not be decided; equal rows are left out
 * @throws OwnerUnavailableError
 */
export async function confirm(parts: CompareParts, candidates: readonly Candidate[]): Promise<Confirmed[]> {
  const confirmed: Confirmed[] = [];
  let open = [...candidates];
  for (let round = 0; round < ROUNDS && open.length > 0; round += 1) {
    const applied = await untilMarkApplied(parts.database, parts.own, parts.owner, parts.pace.signal);
    const mayJudge = ({ table }: Candidate): boolean => waysOf(table).every((way) => applied.has(way));
    const judgeable = open.filter(mayJudge);
    const looked = await lookAgain(parts, judgeable);
    open = open.filter((candidate) => !mayJudge(candidate));
    for (const { candidate, copyAfter, ownerAfter } of looked) {
      const kind = judge({ ...candidate, copyAfter, ownerAfter });
      if (kind === 'again') open.push({ ...candidate, copyBefore: copyAfter, ownerBefore: ownerAfter });
      else if (kind !== 'equal') confirmed.push({ table: candidate.table, key: candidate.key, kind });
    }
    // A channel that did not bring the mark in its time is not waited for again and again.
    if (judgeable.length === 0) break;
  }
  return [...confirmed, ...open.map(({ table, key }) => ({ table, key, kind: 'undecided' as const }))];
}

interface LookedAgain {
  readonly candidate: Candidate;
  readonly copyAfter: Look;
  readonly ownerAfter: Look;
}

async function lookAgain({ database, owner, pace }: CompareParts, candidates: readonly Candidate[]): Promise<LookedAgain[]> {
  const looked: LookedAgain[] = [];
  for (const batch of batches(candidates, BATCH)) {
    const { table, columns } = batch[0]!;
    const keys = batch.map(({ key }) => key);
    await pace.take(async () => {
      const here = index(await reading(database, (tx) => rowsByKey(tx, copySource(table, columns), owner.name, keys)));
      const there = index(await owner.rows({ table, columns: columns.map(({ name }) => name) }, keys));
      for (const candidate of batch) looked.push({ candidate, copyAfter: here.get(JSON.stringify(candidate.key)), ownerAfter: there.get(JSON.stringify(candidate.key)) });
    });
  }
  return looked;
}

/** In pieces of at most `size`, each of one table. */
export function batches<T extends { readonly table: string }>(rows: readonly T[], size: number): T[][] {
  const tables = new Map<string, T[]>();
  for (const row of rows) {
    const together = tables.get(row.table);
    if (together === undefined) tables.set(row.table, [row]);
    else together.push(row);
  }
  return [...tables.values()].flatMap((all) => Array.from({ length: Math.ceil(all.length / size) }, (_, part) => all.slice(part * size, (part + 1) * size)));
}

const index = (rows: readonly RowSeen[]): Map<string, RowSeen> => new Map(rows.map((row) => [JSON.stringify(row.key), row]));
