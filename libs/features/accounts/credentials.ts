import type { Database } from '#adapters/postgres';
import type { Account } from './account.js';

/** A password row as its home wrote it. */
export interface PasswordRow {
  readonly hash: string;
  readonly epoch: number;
  readonly version: number;
  /** base64url hash of the session that changed it and goes on; absent after a registration. */
  readonly keep?: string;
}

/** Everything that decides a sign-in, as known in one region. */
export interface Credentials {
  readonly account: Account;
  /** Absent while the row has not arrived here. */
  readonly password?: PasswordRow;
  /** The newest epoch that came by either channel. */
  readonly epoch: number;
  /** Sign-out-everywhere counters by region. */
  readonly counters: Record<string, number>;
}

interface Row {
  id: string;
  identifier: string;
  normalization: number;
  slot: number;
  home: string;
  created_at: Date;
  hash: string | null;
  epoch: string | null;
  version: string | null;
  keep_session: Buffer | null;
  known_epoch: string | null;
  counters: Record<string, number> | null;
}

const COLUMNS = `
  SELECT a.id, a.identifier, a.normalization, a.slot, a.home, a.created_at, p.hash, p.epoch, p.version, p.keep_session, e.epoch AS known_epoch,
         (SELECT jsonb_object_agg(s.region, s.counter) FROM signout s WHERE s.region = ANY($2) AND s.account = a.id AND s.counter > 0) AS counters
  FROM account a
  LEFT JOIN password p ON p.region = a.home AND p.account = a.id
  LEFT JOIN credential_epoch e ON e.account = a.id`;
const BY_IDENTIFIER = { name: 'credentials-by-identifier', text: `${COLUMNS} WHERE a.identifier = $1` };
const BY_ACCOUNT = { name: 'credentials-by-account', text: `${COLUMNS} WHERE a.id = $1` };

/** Reads of what this region knows about accounts and their credentials. */
export class CredentialReader {
  constructor(
    private readonly database: Database,
    private readonly regions: readonly string[],
  ) {}

  /** @param identifier normalised */
  async byIdentifier(identifier: string): Promise<Credentials | undefined> {
    const [row] = await this.database.query<Row>(BY_IDENTIFIER, [identifier, this.regions]);
    return row && fromRow(row);
  }

  async byAccount(account: string): Promise<Credentials | undefined> {
    const [row] = await this.database.query<Row>(BY_ACCOUNT, [account, this.regions]);
    return row && fromRow(row);
  }
}

function fromRow(row: Row): Credentials {
  const account = { id: row.id, identifier: row.identifier, normalization: row.normalization, slot: row.slot, home: row.home, createdAt: row.created_at.toISOString() };
  const passwordEpoch = Number(row.epoch ?? 0);
  const epoch = Math.max(passwordEpoch, Number(row.known_epoch ?? 0));
  const counters = row.counters ?? {};
  if (row.hash === null) return { account, epoch, counters };
  const keep = row.keep_session === null ? {} : { keep: row.keep_session.toString('base64url') };
  return { account, password: { hash: row.hash, epoch: passwordEpoch, version: Number(row.version), ...keep }, epoch, counters };
}
