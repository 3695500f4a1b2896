import type { SessionIds } from '#kernel/ids';
import { UnavailableError } from '#kernel/problems';
import { SupersededError } from './errors.js';
import { sessionStillGood } from './decide.js';
import type { KnownEndings } from './known-endings.js';
import type { SessionStore } from './session-store.js';
import type { SessionAnswer, SessionParts } from './session-text.js';

/** Whom a session is for, and what its maker knew when the password was proven. */
export interface SessionRequest {
  readonly account: string;
  readonly identifier: string;
  readonly home: string;
  /** Epoch of the password that was proven. */
  readonly epoch: number;
  /** Sign-out-everywhere counters by region. */
  readonly counters: Record<string, number>;
}

export interface CreatedSession {
  readonly token: string;
  readonly hashB64: string;
  readonly origin: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly expiresAt: string;
}

/** Makes a session in this region. */
export class CreateSession {
  constructor(
    private readonly own: string,
    /** A session's life in ms, not sliding. */
    private readonly lifeMs: number,
    private readonly ids: SessionIds,
    private readonly store: SessionStore,
    private readonly known: KnownEndings,
  ) {}

  /**
   * To be asked before credentials are looked at: without Redis no session can be made, and sign-in says so whatever the
   * password (contract, "Redis gone").
   * @throws UnavailableError('redis')
   */
  mustBePossible(): void {
    if (!this.store.redis.connected) throw new UnavailableError('redis');
  }

  /**
   * Two gates stand before the token is given away: the script refuses under what Redis knows, and what PostgreSQL knows is
   * read again afterwards. An epoch that commits later finds the session in the index and ends it.
   * @throws SupersededError when what the sign-in had checked was overtaken; UnavailableError('redis'); DatabaseUnavailableError
   */
  async create(request: SessionRequest): Promise<CreatedSession> {
    const { account, identifier, home, epoch } = request;
    const { token, hash, createdAtMs } = this.ids.create(this.own, account);
    const hashB64 = hash.toString('base64url');
    const createdAt = new Date(createdAtMs).toISOString();
    const expiresAt = new Date(createdAtMs + this.lifeMs).toISOString();
    const answer: SessionAnswer = { origin: this.own, account: { id: account, identifier, home }, createdAt, expiresAt };
    const counters = await this.add(account, hashB64, { epoch, home, counters: request.counters, answer: JSON.stringify(answer) });
    const known = await this.known.ofSession(account, hash);
    if (!sessionStillGood({ epoch, counters, hashB64 }, known)) {
      await this.store.end(hashB64, this.lifeMs);
      throw new SupersededError(account);
    }
    return { token, hashB64, origin: this.own, createdAt, expiresAt };
  }

  /**
   * A sign-out everywhere that a peer told directly may be known to Redis before its row arrives here. This session is made
   * after it, so it takes the counter over instead of being refused until replication is through.
   * @returns the counters that the session was made with
   */
  private async add(account: string, hashB64: string, parts: SessionParts): Promise<Record<string, number>> {
    const added = await this.store.add(account, hashB64, parts, this.lifeMs);
    if (added.outcome === 'added') return parts.counters;
    if (added.outcome !== 'out-counted') throw new SupersededError(account);
    const counters = merged(parts.counters, added.counters);
    const again = await this.store.add(account, hashB64, { ...parts, counters }, this.lifeMs);
    if (again.outcome !== 'added') throw new SupersededError(account);
    return counters;
  }
}

function merged(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  const regions = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...regions].map((region) => [region, Math.max(own(a, region), own(b, region))]));
}

/** Own members only: `constructor` is a legal name of a region. */
function own(counters: Record<string, number>, region: string): number {
  return Object.hasOwn(counters, region) ? counters[region]! : 0;
}
