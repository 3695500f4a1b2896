import { sessionStillGood } from './decide.js';
import type { KnownEndings } from './known-endings.js';
import type { OriginSession } from './peers.js';
import type { SessionFeeder } from './session-feeder.js';
import type { SessionStore } from './session-store.js';
import { type SessionAnswer, partsOf } from './session-text.js';

/** The origin's side of an origin read: local data only, and only sessions that this region made. */
export class ReadSessionForPeer {
  constructor(
    private readonly own: string,
    private readonly store: SessionStore,
    private readonly feeder: Pick<SessionFeeder, 'mustCompare'>,
    private readonly known: KnownEndings,
  ) {}

  /**
   * @returns undefined when there is no such session here, or it has ended
   * @throws UnavailableError('redis'); DatabaseUnavailableError where Redis can not be believed alone
   */
  async read(hashB64: string): Promise<OriginSession | undefined> {
    const found = await this.store.readLife(hashB64);
    if (found === undefined) return undefined;
    const parts = partsOf(found.text);
    const { origin, account } = JSON.parse(parts.answer) as SessionAnswer;
    if (origin !== this.own) return undefined;
    if (this.feeder.mustCompare()) {
      const known = await this.known.ofSession(account.id, Buffer.from(hashB64, 'base64url'));
      if (!sessionStillGood({ epoch: parts.epoch, counters: parts.counters, hashB64 }, known)) return undefined;
    }
    return { ...parts, remainingMs: found.remainingMs };
  }
}
