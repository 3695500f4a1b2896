import type { Database } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { uuidToBytes } from '#kernel/ids';
import { SessionInvalidError } from '#kernel/problems';
import { slotOfBytes } from '#kernel/routing';
import type { Logger } from '#kernel/telemetry';
import type { SessionPeers } from './peers.js';
import type { SessionFeeder } from './session-feeder.js';
import { ENDING_SLACK_MS } from './session-store.js';
import type { TokenReader } from './token-reader.js';

/** What a sign-out tells its caller: whose, and the version of this region's sign-out row for the consistency token. */
export interface SignedOut {
  readonly account: string;
  /** Undefined where the account itself is not known here yet. */
  readonly home?: string;
  /** Undefined when the session had expired by itself and nothing was written. */
  readonly version?: number;
}

const END = {
  name: 'end-session',
  text: `
  WITH ended AS (
    INSERT INTO ended_session (region, slot, session_hash, expires_at) VALUES ($1, $2, $3, to_timestamp($4::float8 / 1000)) ON CONFLICT DO NOTHING),
  pending AS (
    INSERT INTO redis_pending (session_hash, expires_at) VALUES ($3, to_timestamp($4::float8 / 1000)))
  INSERT INTO signout AS mine (region, slot, account, counter, version) VALUES ($1, $5, $6, 0, next_version(0))
  ON CONFLICT (region, account) DO UPDATE SET version = next_version(mine.version)
  RETURNING version, (SELECT home FROM account WHERE id = $6) AS home`,
};

/**
 * Signs one session out. It needs the token alone (account and creation time are in its id), so it works with the origin
 * unreachable and with Redis gone; it may be repeated.
 */
export class EndSession {
  constructor(
    private readonly own: string,
    /** A session's life in ms. */
    private readonly lifeMs: number,
    private readonly tokens: TokenReader,
    private readonly clock: Pick<Clock, 'wallMs'>,
    private readonly database: Pick<Database, 'write'>,
    private readonly feeder: Pick<SessionFeeder, 'endNow'>,
    private readonly peers: SessionPeers,
    private readonly logger: Logger,
  ) {}

  /**
   * Dead here when this returns; the origin is told meanwhile, the others hear of it by replication.
   * @throws SessionInvalidError for a token that no region made; DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async end(token: string): Promise<SignedOut> {
    const id = this.tokens.parse(token);
    if (id === undefined) throw new SessionInvalidError();
    const expiresAtMs = id.createdAtMs + this.lifeMs;
    if (expiresAtMs + ENDING_SLACK_MS < this.clock.wallMs()) return { account: id.account };
    const [row] = await this.database.write<{ version: string; home: string | null }>(END, [
      this.own, slotOfBytes(id.hash), id.hash, expiresAtMs, slotOfBytes(uuidToBytes(id.account)), id.account,
    ]);
    if (id.region !== this.own) this.tell(id.region, { hash: id.hashB64, expiresAtMs });
    await this.feeder.endNow(id.hashB64, expiresAtMs);
    return { account: id.account, home: row!.home ?? undefined, version: Number(row!.version) };
  }

  /** Not waited for: replication tells it too. Other peers need not hear it, what they have cached ends within seconds. */
  private tell(origin: string, ending: { hash: string; expiresAtMs: number }): void {
    this.peers.end(origin, ending).catch((error: unknown) => this.logger.debug({ err: error, origin }, 'the origin was not told of a sign-out'));
  }
}
