import type { Peers } from '#adapters/peer-client';
import { limits } from '#kernel/config';
import type { OriginAnswer, OriginSession, SessionPeers } from './peers.js';

/** The peers as sessions need them, over the peer listener. */
export class SessionPeersOverHttp implements SessionPeers {
  constructor(private readonly peers: Peers) {}

  async read(origin: string, hash: string): Promise<OriginAnswer> {
    const outcome = await this.peers.find(origin)?.call<OriginSession>('read', '/peer/v1/sessions/read', { hash }, limits.readBudgetMs);
    if (outcome?.kind !== 'answered') return { outcome: 'unreachable' };
    if (outcome.status === 404) return { outcome: 'missing' };
    return outcome.status === 200 ? { outcome: 'found', session: outcome.body } : { outcome: 'unreachable' };
  }

  async end(region: string, ending: { hash: string; expiresAtMs: number }): Promise<void> {
    await this.peers.find(region)?.call('write', '/peer/v1/sessions/end', ending, limits.readBudgetMs);
  }

  async raise(region: string, ending: { account: string; counter: number }): Promise<void> {
    await this.peers.find(region)?.call('write', '/peer/v1/sessions/end-all', ending, limits.readBudgetMs);
  }
}
