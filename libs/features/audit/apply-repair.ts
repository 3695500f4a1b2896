import { type Database, type Transaction, isStatementError } from '#adapters/postgres';
import { mergeRows } from '#adapters/replication';
import { type Account, isConsistent, keepAccounts } from '../accounts/index.js';
import { type Epoch, raiseEpochs } from '../passwords/index.js';
import { markRepaired } from './audit-log.js';
import type { ComparedTable } from './compare-owner.js';
import type { Kind } from './judge.js';
import type { Owner } from './owner.js';
import { type Key, type RowCopied, type RowSeen, lockByKey, reading, rowsByKey } from './read-rows.js';
import { copySource } from './sources.js';

/** A row to be made as its owner has it: `wanted` as it was read before the mark, undefined where the owner has none. */
export interface RepairRow {
  readonly table: string;
  readonly key: Key;
  readonly kind: Kind;
  readonly wanted: RowCopied | undefined;
}

/** Rows that this batch can not bring about now, each with the reason; the others were rolled back with them. */
class RowsRefusedError extends Error {
  constructor(
    readonly keys: ReadonlySet<string>,
    readonly why: Refusal,
  ) {
    super(`${keys.size} rows can not be repaired: ${why}`);
    this.name = 'RowsRefusedError';
  }
}

/** `changed`: the owner's row changed meanwhile, the next audit tells. `contradicts`: another row here stands in its way, or it is not the owner's to have. */
export type Refusal = 'changed' | 'contradicts';

export interface BatchOutcome {
  readonly repaired: readonly Key[];
  /** Equal already, by replication or by an earlier repair. */
  readonly equal: readonly Key[];
  readonly refused: readonly { readonly key: Key; readonly why: Refusal }[];
}

export interface RepairParts {
  readonly database: Database;
  readonly owner: Owner;
  readonly repair: string;
  /** The home of an identifier by the route table: nobody else's word counts for an account. */
  readonly homeOf: (identifier: string) => string;
}

/**
 * Makes rows of one table as their owner has them, in one transaction, with what stood there kept. The caller has seen a mark
 * applied here that the owner wrote after `wanted` was read; here the rows are locked and written, and only then the owner is
 * asked again: where its row has stood still since, nothing of it is under way, so no later insert can meet the one made here
 * (design, rule 1), and whatever changes it next arrives as a change of this very row. Otherwise it is rolled back.
 * @throws OwnerUnavailableError, and what the database throws: then nothing of the batch was done
 */
export async function applyBatch(parts: RepairParts, compared: ComparedTable, rows: readonly RepairRow[]): Promise<BatchOutcome> {
  const refused: { key: Key; why: Refusal }[] = [];
  let open = [...rows];
  for (;;) {
    try {
      const done = open.length === 0 ? { repaired: [], equal: [] } : await attempt(parts, compared, open);
      return { ...done, refused };
    } catch (error) {
      // The apply worker was about to change one of them: PostgreSQL ended this transaction rather than that one.
      if (isStatementError(error) && error.code.startsWith('40')) return { repaired: [], equal: [], refused: [...refused, ...open.map(({ key }) => ({ key, why: 'changed' as const }))] };
      if (!(error instanceof RowsRefusedError)) throw error;
      refused.push(...open.filter(({ key }) => error.keys.has(textOf(key))).map(({ key }) => ({ key, why: error.why })));
      open = open.filter(({ key }) => !error.keys.has(textOf(key)));
    }
  }
}

function attempt(parts: RepairParts, { table, columns }: ComparedTable, rows: readonly RepairRow[]): Promise<{ repaired: Key[]; equal: Key[] }> {
  const { owner, database, repair } = parts;
  const copy = copySource(table, columns);
  const keys = rows.map(({ key }) => key);
  return reading(database, async (tx) => {
    const here = new Map((await lockByKey(tx, copy, owner.name, keys)).map((row) => [textOf(row.key), row]));
    const [equal, due] = split(rows, ({ key, wanted }) => here.get(textOf(key))?.digest === wanted?.digest);
    if (due.length > 0) {
      await keep(tx, repair, owner.name, due.map((row) => ({ ...row, whole: here.get(textOf(row.key))?.whole })));
      await write(tx, parts, { table, columns }, due);
    }
    refuseWhere(rows, await rowsByKey(tx, copy, owner.name, keys), ({ digest }) => digest, 'contradicts');
    refuseWhere(rows, await owner.rows({ table, columns: columns.map(({ name }) => name) }, keys), ({ mark }) => mark, 'changed');
    await markRepaired(tx, owner.name, table, keys);
    return { repaired: due.map(({ key }) => key), equal: equal.map(({ key }) => key) };
  });
}

/** By the way that each kind of row comes here: the staging path, the copies of accounts, the epochs. */
async function write(tx: Transaction, { owner, homeOf }: RepairParts, { table, columns }: ComparedTable, rows: readonly RepairRow[]): Promise<void> {
  const values = rows.flatMap(({ wanted }) => (wanted === undefined ? [] : [wanted.value]));
  if (table === 'account') {
    const accounts = values.map((value) => JSON.parse(value) as Account);
    const foreign = accounts.filter((account) => !isConsistent(account, owner.name) || homeOf(account.identifier) !== owner.name);
    if (foreign.length > 0) throw new RowsRefusedError(new Set(foreign.map(({ id }) => textOf([id]))), 'contradicts');
    await tx.query('DELETE FROM account WHERE id = ANY ($1)', [rows.map(({ key }) => key[0])]);
    await keepAccounts(tx, owner.name, accounts);
  } else if (table === 'credential_epoch') {
    await tx.query('DELETE FROM credential_epoch WHERE account = ANY ($1)', [rows.map(({ key }) => key[0])]);
    await raiseEpochs(tx, values.map((value) => JSON.parse(value) as Epoch));
  } else {
    const gone = rows.filter(({ wanted }) => wanted === undefined).map(({ key }) => key);
    await mergeRows(tx, { name: table, columns }, { owner: owner.name, rows: values, gone });
  }
}

const KEEP = `INSERT INTO repair_kept (repair, owner, table_name, key, kind, row)
  SELECT $1, $2, r ->> 'table', r -> 'key', r ->> 'kind', r -> 'whole' FROM jsonb_array_elements($3::jsonb) AS r ON CONFLICT DO NOTHING`;

async function keep(tx: Transaction, repair: string, owner: string, rows: readonly (RepairRow & { whole: object | undefined })[]): Promise<void> {
  await tx.query(KEEP, [repair, owner, JSON.stringify(rows.map(({ table, key, kind, whole }) => ({ table, key, kind, whole })))]);
}

/** @throws RowsRefusedError where a row is not, by `by`, what was wanted */
function refuseWhere(rows: readonly RepairRow[], found: readonly RowSeen[], by: (row: RowSeen) => string, why: Refusal): void {
  const there = new Map(found.map((row) => [textOf(row.key), by(row)]));
  const other = rows.filter(({ key, wanted }) => there.get(textOf(key)) !== (wanted === undefined ? undefined : by(wanted)));
  if (other.length > 0) throw new RowsRefusedError(new Set(other.map(({ key }) => textOf(key))), why);
}

function split<T>(rows: readonly T[], yes: (row: T) => boolean): [T[], T[]] {
  return [rows.filter(yes), rows.filter((row) => !yes(row))];
}

const textOf = (key: Key): string => JSON.stringify(key);
