import type { Database } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { uuidToBytes } from '#kernel/ids';
import { SessionInvalidError, SessionOriginUnavailableError, UnavailableError } from '#kernel/problems';
import { slotOfBytes } from '#kernel/routing';
import type { Logger } from '#kernel/telemetry';
import type { CheckSession } from './check-session.js';
import type { SignedOut } from './end-session.js';
import type { KnownEndings } from './known-endings.js';
import type { SessionPeers } from './peers.js';
import type { SessionFeeder } from './session-feeder.js';
import type { ReadToken, TokenReader } from './token-reader.js';

const END_ALL = {
  name: 'end-all-sessions',
  text: `
  WITH pending AS (INSERT INTO redis_pending (account) VALUES ($3)),
  asking AS (
    INSERT INTO ended_session (region, slot, session_hash, expires_at) VALUES ($1, $4, $5, to_timestamp($6::float8 / 1000)) ON CONFLICT DO NOTHING)
  INSERT INTO signout AS mine (region, slot, account, counter, version) VALUES ($1, $2, $3, next_version(0), next_version(0))
  ON CONFLICT (region, account) DO UPDATE SET counter = next_version(mine.counter), version = next_version(mine.version)
  RETURNING counter, version, (SELECT home FROM account WHERE id = $3) AS home`,
};

/**
 * Signs an account out everywhere: this region's counter rises, and each session that did not know it has ended. The asking
 * session is ended by itself too: where its origin is out of reach nothing else tells here that it did not know the
 * counter, and whoever repeated the call with it would end the sessions that were made since.
 */
export class EndAllSessions {
  constructor(
    private readonly own: string,
    private readonly regions: readonly string[],
    /** A session's life in ms. */
    private readonly lifeMs: number,
    private readonly tokens: TokenReader,
    private readonly clock: Pick<Clock, 'wallMs'>,
    private readonly checkSession: Pick<CheckSession, 'check'>,
    private readonly known: KnownEndings,
    private readonly database: Pick<Database, 'write'>,
    private readonly feeder: Pick<SessionFeeder, 'raiseNow' | 'endNow'>,
    private readonly peers: SessionPeers,
    private readonly logger: Logger,
  ) {}

  /**
   * All dead here when this returns; every peer is told meanwhile and hears of it by replication too.
   * @param token of any session of the account
   * @throws SessionInvalidError; DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async end(token: string): Promise<SignedOut> {
    const { account, hash, hashB64, createdAtMs } = await this.askedBy(token);
    const expiresAtMs = createdAtMs + this.lifeMs;
    const [row] = await this.database.write<{ counter: string; version: string; home: string | null }>(END_ALL, [
      this.own, slotOfBytes(uuidToBytes(account)), account, slotOfBytes(hash), hash, expiresAtMs,
    ]);
    const counter = Number(row!.counter);
    for (const region of this.regions) if (region !== this.own) this.tell(region, { account, counter });
    await Promise.all([this.feeder.raiseNow(account, { epoch: 0, counters: { [this.own]: counter } }), this.feeder.endNow(hashB64, expiresAtMs)]);
    return { account, home: row!.home ?? undefined, version: Number(row!.version) };
  }

  /** Where the session can not be checked, its mac and what PostgreSQL knows must do: a sign-out is taken in every state. */
  private async askedBy(token: string): Promise<ReadToken> {
    try {
      await this.checkSession.check(token);
      return this.tokens.parse(token)!;
    } catch (error) {
      if (!(error instanceof SessionOriginUnavailableError || error instanceof UnavailableError)) throw error;
    }
    const id = this.tokens.parse(token)!;
    if (id.createdAtMs + this.lifeMs < this.clock.wallMs()) throw new SessionInvalidError();
    if ((await this.known.ofSession(id.account, id.hash)).ended) throw new SessionInvalidError();
    return id;
  }

  private tell(region: string, ending: { account: string; counter: number }): void {
    this.peers.raise(region, ending).catch((error: unknown) => this.logger.debug({ err: error, peer: region }, 'a peer was not told of a sign-out everywhere'));
  }
}
