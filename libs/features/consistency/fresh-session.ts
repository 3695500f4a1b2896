import type { ConsistencyVersions } from '#kernel/ids';
import { SessionInvalidError } from '#kernel/problems';
import type { Database } from '#adapters/postgres';
import type { CheckSession, CheckedSession } from '../sessions/index.js';
import type { ReadYourWrites, VersionedRow } from './read-your-writes.js';

interface SignoutRow extends VersionedRow {
  readonly counter: number;
  /** Whether this very session was signed out in that region. */
  readonly ended: boolean;
}

const ROWS = {
  name: 'signout-rows',
  text: `SELECT s.region, s.version, s.counter, EXISTS (SELECT 1 FROM ended_session e WHERE e.region = s.region AND e.session_hash = $3) AS ended
         FROM signout s WHERE s.region = ANY($1) AND s.account = $2`,
};

/** A checked session, and how what decided it was read. */
export interface FreshlyChecked {
  readonly session: CheckedSession;
  readonly read: 'local' | 'origin' | 'cache' | 'stale';
}

/** The session check of a client that carries a consistency token: it sees its own sign-outs, wherever it asked for them. */
export class FreshSession {
  constructor(
    private readonly regions: readonly string[],
    private readonly sessions: CheckSession,
    private readonly database: Database,
    private readonly readYourWrites: ReadYourWrites,
  ) {}

  /** @throws what CheckSession.check throws */
  async check(token: string, consistency: ConsistencyVersions | undefined): Promise<FreshlyChecked> {
    const session = await this.sessions.check(token);
    if (consistency?.account !== session.account || consistency.versions.signout === undefined) return { session, read: session.read };
    const { rows, read } = await this.readYourWrites.rows(
      'signout', consistency, session.account, () => this.rows(session), '/peer/v1/rows/signout', { account: session.account, session: session.hashB64 });
    const { counters } = session;
    if (rows.some(({ region, counter, ended }) => ended || counter > (Object.hasOwn(counters, region) ? counters[region]! : 0))) throw new SessionInvalidError();
    return { session, read: read === 'stale' ? 'stale' : session.read };
  }

  private async rows(session: CheckedSession): Promise<SignoutRow[]> {
    const rows = await this.database.query<{ region: string; version: string; counter: string; ended: boolean }>(ROWS, [this.regions, session.account, session.hash]);
    return rows.map(({ region, version, counter, ended }) => ({ region, version: Number(version), counter: Number(counter), ended }));
  }
}
