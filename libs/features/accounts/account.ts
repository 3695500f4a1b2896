import { isoText } from '#adapters/postgres';

/** An account as every region knows it. Only its home creates it, and nothing of it ever changes. */
export interface Account {
  readonly id: string;
  /** Normalised: E.164 or a lower-case e-mail address. */
  readonly identifier: string;
  /** The version of the normalisation that made it. */
  readonly normalization: number;
  readonly slot: number;
  readonly home: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/** SQL: the columns of an account, as `Account` has them. */
export const ACCOUNT_COLUMNS = `id, identifier, normalization, slot, home, ${isoText('created_at')} AS "createdAt"`;

/** What a client is told of an account. */
export interface AccountView {
  readonly id: string;
  readonly identifier: string;
  readonly home: string;
}
