import type { Database, Transaction } from '#adapters/postgres';
import type { KnownFacts } from './decide.js';
import type { Raised } from './session-store.js';

type Reader = Pick<Transaction, 'query'>;

interface OneRow {
  epoch: string | null;
  keep_session: Buffer | null;
  counters: Record<string, number> | null;
  ended: boolean;
}

interface AccountRow extends Omit<OneRow, 'ended'> {
  account: string;
}

const ONE = {
  name: 'known-endings-one',
  text: `
  SELECT e.epoch, e.keep_session,
         (SELECT jsonb_object_agg(region, counter) FROM signout WHERE region = ANY($2) AND account = $1 AND counter > 0) AS counters,
         EXISTS (SELECT FROM ended_session WHERE region = ANY($2) AND session_hash = $3) AS ended
  FROM (SELECT) one LEFT JOIN credential_epoch e ON e.account = $1`,
};
const ACCOUNTS = {
  name: 'known-endings-accounts',
  text: `
  SELECT asked.account, e.epoch, e.keep_session,
         (SELECT jsonb_object_agg(s.region, s.counter) FROM signout s
          WHERE s.region = ANY($2) AND s.account = asked.account AND s.counter > 0) AS counters
  FROM unnest($1::uuid[]) AS asked (account) LEFT JOIN credential_epoch e ON e.account = asked.account`,
};
const ENDED_AMONG = {
  name: 'known-endings-among',
  text: 'SELECT DISTINCT session_hash FROM ended_session WHERE region = ANY($2) AND session_hash = ANY($1)',
};

/**
 * What PostgreSQL knows to have ended sessions: the truth that Redis follows. Reads only.
 * Every method throws DatabaseUnavailableError when the database can not be asked.
 */
export class KnownEndings {
  constructor(
    private readonly database: Pick<Database, 'query'>,
    /** All regions: each may have signed a session out. */
    private readonly regions: readonly string[],
  ) {}

  /** What is known of one session and its account; nothing known is epoch 0 without counters. */
  async ofSession(account: string, hash: Buffer): Promise<KnownFacts> {
    const [row] = await this.database.query<OneRow>(ONE, [account, this.regions, hash]);
    return { ...raisedOf(row!), ended: row!.ended };
  }

  /** What is known of accounts, by account. */
  async ofAccounts(accounts: readonly string[], reader: Reader = this.database): Promise<Map<string, Raised>> {
    const rows = await reader.query<AccountRow>(ACCOUNTS, [accounts, this.regions]);
    return new Map(rows.map((row) => [row.account, raisedOf(row)]));
  }

  /** Those of these sessions (base64url hashes) that were signed out. */
  async endedAmong(hashes: readonly string[]): Promise<Set<string>> {
    const rows = await this.database.query<{ session_hash: Buffer }>(ENDED_AMONG, [hashes.map((hash) => Buffer.from(hash, 'base64url')), this.regions]);
    return new Set(rows.map((row) => row.session_hash.toString('base64url')));
  }
}

function raisedOf(row: Pick<OneRow, 'epoch' | 'keep_session' | 'counters'>): Raised {
  const keep = row.keep_session === null ? {} : { keep: row.keep_session.toString('base64url') };
  return { epoch: Number(row.epoch ?? 0), counters: row.counters ?? {}, ...keep };
}
