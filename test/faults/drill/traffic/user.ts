import { digestOf } from '../history.js';

/** A session as its holder has it. */
export interface HeldSession {
  readonly token: string;
  readonly digest: string;
  readonly origin: string;
}

/** A change of password that is under way, or whose outcome is not known yet. */
export interface PendingChange {
  readonly key: string;
  readonly next: string;
  /** Whether an attempt may have been done. */
  unknown: boolean;
}

/** An order whose outcome is not known yet: given again with the same key. */
export interface Order {
  readonly key: string;
  /** An identifier or an account's id. */
  readonly payee: string;
  readonly amount: number;
}

/** Everything that one synthetic user knows: its secrets stay here, the history has digests. */
export interface SyntheticUser {
  readonly account: string;
  readonly identifier: string;
  readonly digest: string;
  readonly home: string;
  /** Never ends more than one session at a time and keeps its password, so that its other sessions must live. */
  readonly calm: boolean;
  password: string;
  change: PendingChange | undefined;
  changing: boolean;
  readonly retired: string[];
  readonly neverTaken: string[];
  readonly sessions: HeldSession[];
  readonly orders: Order[];
  /** Wrong passwords tried on purpose, by region: each is an attempt that the service counts. */
  readonly wrongTries: Record<string, number>;
}

export function newUser(known: { account: string; identifier: string; home: string; password: string; calm: boolean }): SyntheticUser {
  return { ...known, digest: digestOf(known.identifier), change: undefined, changing: false, retired: [], neverTaken: [], sessions: [], orders: [], wrongTries: {} };
}
