import { type Database, DatabaseUnavailableError, type Part, type Transaction, isStatementError } from '#adapters/postgres';
import { OverloadedError } from '#kernel/problems';
import { Ledger, type LedgerAccount } from './ledger.js';

/** The locks are taken in the order of the accounts, before anything else of the transaction, so nobody waits in a circle. */
const LEDGER = `
  WITH locked AS MATERIALIZED (SELECT account, amount, version FROM balance WHERE region = $1 AND account = ANY ($2::uuid[]) ORDER BY account FOR UPDATE)
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'slot', a.slot, 'home', a.home, 'amount', l.amount, 'version', l.version, 'floor', version_floor(),
           'epoch', e.epoch, 'keep', encode(e.keep_session, 'base64'))), '[]')
  FROM account a LEFT JOIN locked l ON l.account = a.id LEFT JOIN credential_epoch e ON e.account = a.id WHERE a.id = ANY ($2::uuid[])`;

interface Row {
  readonly id: string;
  readonly slot: number;
  readonly home: string;
  readonly amount: number | null;
  readonly version: number | null;
  readonly floor: number;
  readonly epoch: number | null;
  readonly keep: string | null;
}

/** How often a transaction that another one overtook starts over. */
const ROUNDS = 8;

/** The part that locks the balances of these accounts here and reads what is known of them: the first of a transaction. */
export function ledgerPart(own: string, accounts: readonly string[]): Part {
  return { name: 'ledger', text: LEDGER, values: [own, [...new Set(accounts)]] };
}

export function ledgerFrom(own: string, read: unknown): Ledger {
  return new Ledger(own, (read as Row[]).map(toAccount));
}

/**
 * Runs a money transaction, and runs it again where another one came first: what it reads beside its locks is of the
 * moment when it began to wait for them, and the keys of the tables tell where that was too early.
 * @throws what `work` throws; OverloadedError where others came first again and again
 */
export async function transactMoney<T>(database: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  for (let round = 0; round < ROUNDS; round += 1) {
    try {
      return await database.transact(work);
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }
  throw new OverloadedError('This wallet is being changed by others at the same time');
}

/**
 * For a transaction that its caller began and gives again where the database could not do it.
 * @throws DatabaseUnavailableError in place of an error that says that another transaction came first
 */
export async function orGivenAgain<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw isOvertaken(error) ? new DatabaseUnavailableError({ cause: error }) : error;
  });
}

/** A key that is there by now, or a deadlock: nothing of the transaction was done, and another look will see why. */
function isOvertaken(error: unknown): boolean {
  return isStatementError(error) && (error.code === '23505' || error.code.startsWith('40'));
}

function toAccount({ id, slot, home, amount, version, floor, epoch, keep }: Row): LedgerAccount {
  return {
    id, slot, home, floor, epoch: epoch ?? 0,
    ...(keep === null ? {} : { keep: Buffer.from(keep, 'base64').toString('base64url') }),
    ...(amount === null || version === null ? {} : { balance: { amount, version } }),
  };
}
