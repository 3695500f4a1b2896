import type { Peers } from '#adapters/peer-client';
import { limits } from '#kernel/config';
import type { OriginAnswer, OriginSession, SessionPeers } from './peers.js';

/** So long a session that its origin doesn't have is not asked for again: it never comes back, and a client may go on presenting it. */
const MISSING_MS = 4_500;
/** Such sessions remembered: about 2 MB. */
const MOST_MISSING = 10_000;

/** The peers as sessions need them, over the peer listener. */
export class SessionPeersOverHttp implements SessionPeers {
  /** Until when, by hash. */
  private readonly missing = new Map<string, number>();

  constructor(private readonly peers: Peers) {}

  async read(origin: string, hash: string): Promise<OriginAnswer> {
    if ((this.missing.get(hash) ?? 0) > performance.now()) return { outcome: 'missing' };
    const outcome = await this.peers.find(origin)?.call<OriginSession>('read', '/peer/v1/sessions/read', { hash }, limits.readBudgetMs);
    if (outcome?.kind !== 'answered') return { outcome: 'unreachable' };
    if (outcome.status === 404) {
      if (this.missing.size >= MOST_MISSING) this.missing.clear();
      this.missing.set(hash, performance.now() + MISSING_MS);
      return { outcome: 'missing' };
    }
    return outcome.status === 200 ? { outcome: 'found', session: outcome.body } : { outcome: 'unreachable' };
  }

  async end(region: string, ending: { hash: string; expiresAtMs: number }): Promise<void> {
    await this.peers.find(region)?.call('write', '/peer/v1/sessions/end', ending, limits.readBudgetMs);
  }

  async raise(region: string, ending: { account: string; counter: number }): Promise<void> {
    await this.peers.find(region)?.call('write', '/peer/v1/sessions/end-all', ending, limits.readBudgetMs);
  }
}
