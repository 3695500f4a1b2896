import type { Peer, Peers } from '#adapters/peer-client';
import { ClaimError, type Database, type Transaction } from '#adapters/postgres';
import { FIRST_INCARNATION } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';
import type { KeptPage } from './kept-rows.js';
import { type Found, type Lost, restore } from './restore.js';

/** Longest wait for one page: a peer reads it from its tables while it serves. */
const PAGE_MS = 5_000;
/** How long a region that starts for the first time waits for its peers to say whether they know it already. */
const FIRST_WAIT_MS = 3_000;
const ASK_EVERY_MS = 50;

/** What a peer says of this region: that it is new itself, or which of this region's databases it knows. */
export interface Acquaintance {
  readonly isNew: boolean;
  readonly identity?: string;
  readonly incarnation?: number;
}

export interface ClaimParts {
  readonly region: string;
  readonly incarnation: number;
  readonly money: { readonly region: string; readonly regions: readonly string[]; readonly expiryMs: number };
  readonly peers: Peers;
  readonly database: Database;
  /** The ways outside that are in use, so that what was told before a rebuild is not told again through them. */
  readonly noticeChannels: readonly string[];
  readonly logger: Logger;
}

/**
 * Decides whether a new database may become this region's own, before anything is served from it. In the first incarnation:
 * where no peer knows another one, since otherwise this region's disks were lost, and serving without them would give numbers
 * that peers skip. In a later one: when everything that the peers have of this region is in it (docs/decisions/0018).
 */
export class ClaimRegion {
  private claiming = false;

  constructor(private readonly parts: ClaimParts) {}

  /** Whether this region has no database of its own yet, and so knows nothing of anybody. */
  get isNew(): boolean {
    return this.claiming && !this.parts.database.ready;
  }

  /** @throws ClaimError where it may not be claimed, or not yet */
  async claim(tx: Transaction): Promise<void> {
    this.claiming = true;
    const { incarnation, peers, logger } = this.parts;
    if (incarnation === FIRST_INCARNATION) return this.mustBeUnknown();
    const found: Found[] = [];
    for (const peer of peers.all) found.push(...(await this.reach(peer)));
    const lost: Lost = await restore(tx, this.parts, found, new Date().toISOString());
    logger.warn({ incarnation, ...lost }, 'what the peers had of this region is here again');
  }

  /** All peers are asked at once; one that says nothing in time may be down, and this region works without it. */
  private async mustBeUnknown(): Promise<void> {
    const { peers, region } = this.parts;
    const untilMs = performance.now() + FIRST_WAIT_MS;
    const heard = await Promise.all(peers.all.map((peer) => this.acquaintance(peer, untilMs)));
    const knowing = peers.all.find((_, index) => heard[index]?.identity !== undefined || (heard[index]?.incarnation ?? FIRST_INCARNATION) > FIRST_INCARNATION);
    if (knowing !== undefined) throw new ClaimError(`${knowing.name} knows another database of ${region}: its disks were lost; rebuild it as its next incarnation (npm run regions -- rebuild ${region})`);
  }

  private async acquaintance(peer: Peer, untilMs: number): Promise<Acquaintance | undefined> {
    while (performance.now() < untilMs) {
      const outcome = await peer.ask<Acquaintance>('/peer/v1/rebuild/known', {}, Math.max(1, untilMs - performance.now()));
      if (outcome.kind === 'answered' && outcome.status === 200) return outcome.body;
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
    return undefined;
  }

  /** A peer that has taken this incarnation for the one; nothing where it has lost everything itself. */
  private async reach(peer: Peer): Promise<Found[]> {
    const { isNew } = await this.mustAnswer<Acquaintance>(peer, 'adopt', {});
    return isNew ? [] : [{ peer: peer.name, page: (table, after) => this.mustAnswer<KeptPage>(peer, 'rows', { table, after }) }];
  }

  private async mustAnswer<T>(peer: Peer, what: string, body: object): Promise<T> {
    const outcome = await peer.ask<T>(`/peer/v1/rebuild/${what}`, body, PAGE_MS);
    if (outcome.kind === 'answered' && outcome.status === 200) return outcome.body;
    const why = outcome.kind === 'answered' ? `it answered ${outcome.status}` : outcome.why;
    throw new ClaimError(`this region is rebuilt from its peers and waits for ${peer.name}: ${why}`);
  }
}
