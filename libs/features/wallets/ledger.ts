import { strict as assert } from 'node:assert';
import { type Part, insertion } from '#adapters/postgres';

/** The most that a wallet, and all wallets together, may hold: what JSON carries exactly. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

/** An account as it was known when the ledger was opened. */
export interface LedgerAccount {
  readonly id: string;
  readonly slot: number;
  readonly home: string;
  /** The newest credential epoch, and the session (base64url of its hash) that the change which made it let go on. */
  readonly epoch: number;
  readonly keep?: string;
  /** Versions of balances written from now on are higher than this (docs/decisions/0018). */
  readonly floor?: number;
  /** Absent where the account has no balance row here yet. */
  readonly balance?: { readonly amount: number; readonly version: number };
}

/** One end of an entry: whose book it is in, and as which leg. */
export interface Side {
  readonly leg: 'debit' | 'credit' | 'clearing' | 'source';
  readonly book: string;
  /** Whose money it is; set where the book is `account` or `suspense`. */
  readonly account?: string;
}

/** A line of the ledger. */
export interface Posting extends Side {
  readonly entry: string;
  readonly slot: number;
  readonly amount: number;
}

interface Balance {
  amount: number;
  version: number;
  readonly slot: number;
  readonly isNew: boolean;
}

const POSTING = ['region text', 'slot smallint', 'entry uuid', 'leg text', 'book text', 'account uuid', 'amount bigint', 'created_at timestamptz'];
const BALANCE = ['region text', 'slot smallint', 'account uuid', 'amount bigint', 'version bigint', 'changed_at timestamptz'];
const UPDATE = `UPDATE balance SET amount = given.amount, version = given.version, changed_at = $5
  FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS given (account, amount, version) WHERE balance.region = $1 AND balance.account = given.account AND balance.account = ANY ($2::uuid[])`;

/**
 * The ledger of one transaction, in memory: balances as they were locked, and what is posted to them. Pure; `openLedger`
 * reads it and `parts` writes it. Double entry: whatever leaves one side of an entry comes to the other
 * (test/unit/transfers/decide.spec.ts).
 */
export class Ledger {
  readonly postings: Posting[] = [];
  private readonly accounts: ReadonlyMap<string, LedgerAccount>;
  private readonly touched = new Map<string, Balance>();

  constructor(
    readonly own: string,
    accounts: readonly LedgerAccount[],
  ) {
    this.accounts = new Map(accounts.map((account) => [account.id, account]));
  }

  account(id: string): LedgerAccount | undefined {
    return this.accounts.get(id);
  }

  /** Whether this region is the home of the account, and so the only one that moves its money. */
  isHome(id: string): boolean {
    return this.accounts.get(id)?.home === this.own;
  }

  amountOf(account: string): number {
    return this.touched.get(account)?.amount ?? this.accounts.get(account)?.balance?.amount ?? 0;
  }

  versionOf(account: string): number {
    return this.touched.get(account)?.version ?? this.accounts.get(account)?.balance?.version ?? 0;
  }

  slotOf(account: string): number {
    return this.accounts.get(account)?.slot ?? 0;
  }

  /** Where money for an account goes here: to its wallet, or aside where that is unknown here or can't hold it (design, rule 6). */
  creditSide(account: string, amount: number): Side {
    const fits = this.isHome(account) && this.amountOf(account) <= MAX_AMOUNT - amount;
    return { leg: 'credit', book: fits ? 'account' : 'suspense', account };
  }

  /** Moves an amount from one side to the other. */
  post(entry: string, amount: number, from: Side, to: Side, slot: number): void {
    assert(Number.isSafeInteger(amount) && amount > 0, 'an entry moves a positive amount');
    this.postings.push({ ...from, entry, slot, amount: -amount }, { ...to, entry, slot, amount });
    this.change(from, -amount);
    this.change(to, amount);
  }

  /** Raises the version of an account's balance, so that a client can wait for what was decided without moving money. */
  touch(account: string): void {
    this.balanceOf(account).version += 1;
  }

  /** What is to be written, at a time of this region's clock. */
  parts(at: string): Part[] {
    const sorted = [...this.touched].sort(([a], [b]) => (a < b ? -1 : 1));
    const [fresh, known] = [sorted.filter(([, { isNew }]) => isNew), sorted.filter(([, { isNew }]) => !isNew)];
    const update = { name: 'update balance', text: UPDATE, values: [this.own, known.map(([id]) => id), known.map(([, { amount }]) => amount), known.map(([, { version }]) => version), at] };
    return [
      ...(known.length === 0 ? [] : [update]),
      // A balance that another transaction made meanwhile is an error, and this one starts over.
      ...insertion('balance', BALANCE, fresh.map(([id, { slot, amount, version }]) => [this.own, slot, id, amount, version, at])),
      ...insertion('posting', POSTING, this.postings.map(({ slot, entry, leg, book, account, amount }) => [this.own, slot, entry, leg, book, account ?? null, amount, at])),
    ];
  }

  private change({ book, account }: Side, by: number): void {
    if (book !== 'account') return;
    const balance = this.balanceOf(account!);
    balance.amount += by;
    balance.version += 1;
    assert(balance.amount >= 0 && balance.amount <= MAX_AMOUNT, 'a balance is neither negative nor beyond what JSON carries');
  }

  private balanceOf(id: string): Balance {
    const known = this.touched.get(id);
    if (known !== undefined) return known;
    const account = this.accounts.get(id);
    assert(account?.home === this.own, 'only the home moves the money of an account');
    const balance = { amount: account.balance?.amount ?? 0, version: Math.max(account.balance?.version ?? 0, account.floor ?? 0), slot: account.slot, isNew: account.balance === undefined };
    this.touched.set(id, balance);
    return balance;
  }
}

/** Where money is that has left one region and has not come to the other yet; it stands in both their books. */
export function clearing(from: string, to: string): Side {
  return { leg: 'clearing', book: `clearing:${from}>${to}` };
}
