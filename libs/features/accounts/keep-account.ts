import { isDeepStrictEqual } from 'node:util';
import type { Database, Transaction } from '#adapters/postgres';
import { newId } from '#kernel/ids';
import { slotOf } from '#kernel/routing';
import { ACCOUNT_COLUMNS, type Account } from './account.js';

const INSERT = {
  name: 'keep-accounts',
  text: `WITH kept AS (
           INSERT INTO account (id, identifier, normalization, slot, home, created_at)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::smallint[], $5::text[], $6::timestamptz[])
           ON CONFLICT DO NOTHING RETURNING 1)
         SELECT count(*)::int AS count FROM kept`,
};
const FIND = {
  name: 'find-accounts',
  text: `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE id = ANY($1)`,
};
const QUARANTINE = {
  name: 'quarantine-account',
  text: `INSERT INTO conflict (id, kind, account, writer, body, detail) VALUES ($1, 'account', $2, $3, $4, $5) ON CONFLICT (kind, account) DO NOTHING`,
};

/**
 * Keeps copies of accounts whose home is `writer`: an insert that does nothing where they are. What contradicts a row
 * that is here (its id with other content, its identifier under another id) goes to quarantine, whole (design, rule 4).
 * @returns how many were put into quarantine
 */
export async function keepAccounts(tx: Transaction, writer: string, accounts: readonly Account[]): Promise<number> {
  const column = <K extends keyof Account>(key: K): Account[K][] => accounts.map((account) => account[key]);
  const [inserted] = await tx.query<{ count: number }>(INSERT, [column('id'), column('identifier'), column('normalization'), column('slot'), column('home'), column('createdAt')]);
  if (inserted!.count === accounts.length) return 0;
  const here = new Map((await tx.query<Account>(FIND, [column('id')])).map((row) => [row.id, row]));
  const conflicting = accounts.filter((account) => !isDeepStrictEqual({ ...here.get(account.id) }, { ...account }));
  for (const account of conflicting) {
    const detail = here.has(account.id) ? 'this id is here with other content' : 'this identifier is here under another id';
    await tx.query(QUARANTINE, [newId(), account.id, writer, JSON.stringify(account), detail]);
  }
  return conflicting.length;
}

/** Keeps one account that a second read or a forwarded registration brought. */
export async function keepAccount(database: Database, account: Account): Promise<void> {
  await database.transact((tx) => keepAccounts(tx, account.home, [account]));
}

/** True where an account that another region sent is what it claims to be. */
export function isConsistent(account: Account, writer: string): boolean {
  return account.home === writer && account.slot === slotOf(account.identifier);
}
