import type { Database } from '#adapters/postgres';

/** Rows of this region that a peer may ask for when its copy is too old: the writer always has the newest. */
export interface ProfileRowAnswer {
  readonly version: number;
  readonly fields: Record<string, { s: number; v?: string }>;
}
export interface SignoutRowAnswer {
  readonly version: number;
  readonly counter: number;
  /** Whether the session that was asked about has been ended in this region. */
  readonly ended: boolean;
}
export interface NoticesRowAnswer {
  readonly version: number;
  /** The newest marks: what a reader may not have yet. */
  readonly marks: readonly { readonly id: string; readonly readAt: string }[];
}

/** More marks than could be made in any time that replication is behind while the link works. */
const NEWEST_MARKS = 1_000;
const PROFILE = { name: 'own-profile', text: 'SELECT version, fields FROM profile WHERE region = $1 AND account = $2' };
const SIGNOUT = {
  name: 'own-signout',
  text: `SELECT COALESCE((SELECT version FROM signout WHERE region = $1 AND account = $2), 0) AS version,
                COALESCE((SELECT counter FROM signout WHERE region = $1 AND account = $2), 0) AS counter,
                EXISTS (SELECT 1 FROM ended_session WHERE region = $1 AND session_hash = $3) AS ended`,
};

const NOTICES = {
  name: 'own-notices',
  text: `SELECT id, read_at, version FROM notification_read WHERE region = $1 AND account = $2 ORDER BY version DESC LIMIT ${NEWEST_MARKS}`,
};

/** The writer's side of a second read of its own rows, from local data only. */
export class OwnRows {
  constructor(
    private readonly database: Database,
    private readonly own: string,
  ) {}

  async profile(account: string): Promise<ProfileRowAnswer> {
    const [row] = await this.database.query<{ version: string; fields: ProfileRowAnswer['fields'] }>(PROFILE, [this.own, account]);
    return row === undefined ? { version: 0, fields: {} } : { version: Number(row.version), fields: row.fields };
  }

  /** @param sessionHash base64url */
  async signout(account: string, sessionHash: string): Promise<SignoutRowAnswer> {
    const [row] = await this.database.query<{ version: string; counter: string; ended: boolean }>(SIGNOUT, [this.own, account, Buffer.from(sessionHash, 'base64url')]);
    return { version: Number(row!.version), counter: Number(row!.counter), ended: row!.ended };
  }

  /** What was marked as read here. */
  async notices(account: string): Promise<NoticesRowAnswer> {
    const rows = await this.database.query<{ id: string; read_at: Date; version: string }>(NOTICES, [this.own, account]);
    return { version: Number(rows[0]?.version ?? 0), marks: rows.map(({ id, read_at: at }) => ({ id, readAt: at.toISOString() })) };
  }
}
