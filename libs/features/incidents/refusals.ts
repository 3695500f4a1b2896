import { HomeUnavailableError, SessionOriginUnavailableError } from '#kernel/problems';
import type { Touch } from './incident-rows.js';

/** Calls whose refusals are counted, as their routes name them. */
const COUNTED: Readonly<Record<string, string>> = {
  'POST /v1/accounts': 'registrationsRefused',
  'POST /v1/sessions': 'signInsRefused',
  'PUT /v1/password': 'passwordChangesRefused',
};
/** Accounts remembered of one peer between two rounds; beyond it an account is noted when it asks again. */
const ACCOUNTS = 10_000;

/** What the absence of one peer cost clients, since it was last taken. */
export interface Cost {
  readonly counts: ReadonlyMap<string, number>;
  readonly touches: readonly Touch[];
}

/** Hears the refusals that an unreachable peer is the reason of. In memory until the next round: a refusal promises nothing. */
export class Refusals {
  private readonly counts = new Map<string, Map<string, number>>();
  private readonly heardAtMs = new Map<string, number>();
  private readonly accounts = new Map<string, Map<string, Touch>>();

  /** @param route such as `POST /v1/accounts` */
  hear(route: string, problem: unknown, at: string): void {
    if (problem instanceof HomeUnavailableError) this.count(problem.home, COUNTED[route]);
    else if (problem instanceof SessionOriginUnavailableError && problem.account !== undefined) this.touch(problem.origin, { account: problem.account, what: 'session-regenerated', at });
  }

  /** Lets go of what was heard of a peer so long ago that no incident came of it. */
  forget(peer: string, olderThanMs: number): void {
    if (performance.now() - (this.heardAtMs.get(peer) ?? Infinity) > olderThanMs) this.take(peer);
  }

  /** What was heard of this peer, which is then forgotten. */
  take(peer: string): Cost {
    this.heardAtMs.delete(peer);
    const cost = { counts: this.counts.get(peer) ?? new Map<string, number>(), touches: [...(this.accounts.get(peer)?.values() ?? [])] };
    this.counts.delete(peer);
    this.accounts.delete(peer);
    return cost;
  }

  /** Takes back what could not be written. */
  giveBack(peer: string, { counts, touches }: Cost): void {
    for (const [name, count] of counts) this.count(peer, name, count);
    for (const touch of touches) this.touch(peer, touch);
  }

  private count(peer: string, name: string | undefined, more = 1): void {
    if (name === undefined) return;
    this.noteHeard(peer);
    const ofPeer = this.counts.get(peer) ?? new Map<string, number>();
    this.counts.set(peer, ofPeer.set(name, (ofPeer.get(name) ?? 0) + more));
  }

  private touch(peer: string, touch: Touch): void {
    this.noteHeard(peer);
    const ofPeer = this.accounts.get(peer) ?? new Map<string, Touch>();
    this.accounts.set(peer, ofPeer);
    if (ofPeer.size < ACCOUNTS && !ofPeer.has(touch.account)) ofPeer.set(touch.account, touch);
  }

  private noteHeard(peer: string): void {
    if (!this.heardAtMs.has(peer)) this.heardAtMs.set(peer, performance.now());
  }
}
