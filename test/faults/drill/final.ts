import type { Fields } from './history.js';

/** What was read when all had healed and settled: by the public API with the users' own secrets, by the ops API and by SQL. */
export interface Final {
  /** By region: the ids of the accounts that an identifier (its digest) has there. */
  readonly accounts: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Each sign-in that was tried: `ok`, or the slug it was refused with. */
  readonly passwords: readonly { readonly user: string; readonly region: string; readonly password: string; readonly answer: string }[];
  /** Each session that was presented: `ok`, or the slug it was refused with. */
  readonly sessions: readonly { readonly session: string; readonly region: string; readonly answer: string }[];
  readonly profiles: readonly { readonly user: string; readonly region: string; readonly fields: Fields; readonly etag: string }[];
  /** By table and region: a digest of all rows, and how many there are. */
  readonly tables: Readonly<Record<string, Readonly<Record<string, { readonly digest: string; readonly rows: number }>>>>;
  /** By region: what the drill added to what is kept aside. */
  readonly aside: Readonly<Record<string, { readonly deadLetters: number; readonly conflicts: number }>>;
  /** By region: which process of the service ran before and which after. */
  readonly boots: Readonly<Record<string, { readonly before: string; readonly after: string }>>;
  readonly money: FinalMoney;
  /** From the end of the traffic until every region had the same rows; absent where that never came. */
  readonly equalMs?: number;
}

/** Money as users, and the books, show it at the end. Accounts are named by their ids. */
export interface FinalMoney {
  readonly wallets: readonly { readonly account: string; readonly region: string; readonly balance: number; readonly deposited: number }[];
  readonly transfers: readonly FinalTransfer[];
  /** Absent where the deployment does not tell its users yet. */
  readonly notifications?: readonly { readonly account: string; readonly region: string; readonly kind: string; readonly subject: string }[];
  /** By region: the sum of its own postings, by book. */
  readonly books: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By region: what was posted to wallets, what they hold, and the lowest of them. */
  readonly balances: readonly { readonly region: string; readonly posted: number; readonly balances: number; readonly lowest: number }[];
}

/** A transfer as its payer is shown it in one region; `order` is the idempotency key, which the drill also writes as its memo. */
export interface FinalTransfer {
  readonly transfer: string;
  readonly order: string;
  readonly region: string;
  readonly payer: string;
  readonly payee: string;
  readonly amount: number;
  readonly status: string;
  /** ISO 8601, by the clock of the payer's home; absent where it did not settle. */
  readonly settledAt?: string;
}
