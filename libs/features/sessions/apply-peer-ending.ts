import type { Clock } from '#kernel/clock';
import { isUuid } from '#kernel/ids';
import { InvalidRequestError } from '#kernel/problems';
import type { SessionStore } from './session-store.js';

/** base64url of 32 bytes. */
const HASH_FORM = /^[A-Za-z0-9_-]{43}$/;

/**
 * Endings that a peer tells directly, ahead of replication. Only Redis changes: the rows belong to the peer and arrive by
 * themselves (design, rule 1), so nothing is lost when this fails.
 */
export class ApplyPeerEnding {
  constructor(
    private readonly clock: Pick<Clock, 'wallMs'>,
    private readonly store: SessionStore,
  ) {}

  /**
   * One session was signed out. The store bounds how long its tombstone stays.
   * @throws InvalidRequestError; UnavailableError('redis')
   */
  async end({ hash, expiresAtMs }: { hash: string; expiresAtMs: number }): Promise<void> {
    if (!HASH_FORM.test(hash)) throw new InvalidRequestError([{ path: 'hash', message: 'must be the base64url of 32 bytes' }]);
    if (!Number.isFinite(expiresAtMs)) throw new InvalidRequestError([{ path: 'expiresAtMs', message: 'must be a time in ms' }]);
    await this.store.end(hash, expiresAtMs - this.clock.wallMs());
  }

  /**
   * An account was signed out everywhere; a peer speaks for its own counter alone.
   * @param peer who tells it, as its certificate says
   * @throws InvalidRequestError; UnavailableError('redis')
   */
  async raise(peer: string, { account, counter }: { account: string; counter: number }): Promise<void> {
    if (!isUuid(account)) throw new InvalidRequestError([{ path: 'account', message: 'must be an account id' }]);
    if (!Number.isSafeInteger(counter) || counter < 1) throw new InvalidRequestError([{ path: 'counter', message: 'must be a positive integer' }]);
    await this.store.raise(account, { epoch: 0, counters: { [peer]: counter } });
  }
}
