import type { OutboxRelay, StreamApplier } from '#adapters/kafka';
import type { Peer, Peers } from '#adapters/peer-client';
import type { Clock } from '#kernel/clock';
import { limits } from '#kernel/config';
import type { Logger } from '#kernel/telemetry';
import type { Channels } from '../heartbeats/index.js';
import { type Backlog, backlogArrived } from './arrived.js';
import type { IncidentRows, Moment } from './incident-rows.js';
import type { IncidentRow } from './merge-incidents.js';
import type { Refusals } from './refusals.js';

/** A peer that is away for less is not worth an incident: a busy machine, a restart of a connection. */
const OPEN_AFTER_MS = 2_000;
/** A peer that is back for less may be gone again: a flapping link is one incident. */
const CLOSE_AFTER_MS = 3_000;
/** A channel whose newest heartbeat is younger brings what was written before (status: `lagMs` 0, with some air). */
const CHANNEL_FRESH_MS = 2 * limits.heartbeatFreshMs;

/** What was taken at a time is committed by so much later: a statement's longest life, and again as much. */
const COMMITTED_MS = 2 * limits.databaseStatementMs;
/** The end of the year 9999: what a peer's clock says beyond it has no form that a database reads. */
const LATEST_MS = Date.UTC(10_000, 0) - 1;
/** A refusal comes before its incident by less than this, or has none. */
const FORGET_MS = 15_000;

/** Since when, by the monotonic clock, a peer is as it is. */
interface Seen {
  readonly up: boolean;
  readonly sinceMonoMs: number;
  /** What had been written when it came back; undefined while it is away. */
  readonly backlog: Backlog | undefined;
}

export interface WatchParts {
  readonly peers: Peers;
  readonly relay: OutboxRelay;
  readonly applier: StreamApplier;
  readonly channels: Channels;
  readonly refusals: Refusals;
  readonly rows: IncidentRows;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Opens an incident by itself when a peer becomes unreachable and closes it when everything has settled again. Each round
 * compares what is seen with this region's rows, so a restart, or another process, goes on where this one was.
 */
export class WatchPeers {
  private readonly seen = new Map<string, Seen>();
  /** Up to when the requests of an incident were noted, by its id. */
  private readonly notedMs = new Map<string, number>();

  constructor(private readonly parts: WatchParts) {}

  /** Peers that have been unreachable for so long, as this process sees them. */
  awayFor(ms: number): string[] {
    const nowMonoMs = this.parts.clock.monoMs();
    return [...this.seen].filter(([, { up, sinceMonoMs }]) => !up && nowMonoMs - sinceMonoMs >= ms).map(([peer]) => peer);
  }

  /** One round. */
  async look(): Promise<void> {
    const { peers, rows } = this.parts;
    for (const peer of peers.all) this.note(peer);
    const open = await rows.open();
    for (const peer of peers.all) await this.settle(peer, open.find((incident) => incident.peer === peer.name));
  }

  private note(peer: Peer): void {
    const before = this.seen.get(peer.name);
    // Not by its breakers: those tell of single calls, and each process has its own.
    const up = peer.linkUp && (peer.lastAnswer?.serving ?? false);
    if (before?.up === up) return;
    const { relay, clock } = this.parts;
    const backlog = up ? { own: relay.heads(), peers: peer.lastAnswer!.heads } : undefined;
    this.seen.set(peer.name, { up, sinceMonoMs: clock.monoMs(), backlog });
  }

  private async settle(peer: Peer, incident: IncidentRow | undefined): Promise<void> {
    const { rows, clock, logger } = this.parts;
    const { up, sinceMonoMs } = this.seen.get(peer.name)!;
    const forMs = clock.monoMs() - sinceMonoMs;
    if (incident === undefined) {
      if (!up && forMs >= OPEN_AFTER_MS) await rows.begin(peer.name, this.momentAgo(peer, forMs));
      else if (up) this.parts.refusals.forget(peer.name, FORGET_MS);
      return;
    }
    await this.writeCost(incident);
    if (up !== (incident.reachableAt !== null)) return rows.reachable(incident, up ? this.momentAgo(peer, forMs) : null);
    if (!up || forMs < CLOSE_AFTER_MS || !(await this.isSettled(peer, incident))) return;
    await rows.close(incident, this.momentAgo(peer, 0));
    this.notedMs.delete(incident.id);
    logger.info({ peer: peer.name, incident: incident.id }, 'an incident is over, and everything has settled');
  }

  private async writeCost(incident: IncidentRow): Promise<void> {
    const { rows, refusals } = this.parts;
    const cost = refusals.take(incident.peer);
    try {
      for (const [name, count] of cost.counts) await rows.count(incident, name, count);
      if (cost.touches.length > 0) await rows.touch(incident, cost.touches);
    } catch (error) {
      // A count may then be written twice, which is better than not at all.
      refusals.giveBack(incident.peer, cost);
      throw error;
    }
    await this.noteWaiting(incident);
  }

  /** Only what may have come since the last round, unless the clock was put back. */
  private async noteWaiting(incident: IncidentRow): Promise<void> {
    const nowMs = this.parts.clock.wallMs();
    const notedMs = this.notedMs.get(incident.id);
    await this.parts.rows.noteWaiting(incident, notedMs === undefined || notedMs > nowMs ? undefined : new Date(notedMs - COMMITTED_MS).toISOString());
    this.notedMs.set(incident.id, nowMs);
  }

  private async isSettled(peer: Peer, incident: IncidentRow): Promise<boolean> {
    const { applier, channels, rows } = this.parts;
    const { backlog } = this.seen.get(peer.name)!;
    const fresh = (channel: 'accounts' | 'database'): boolean => (channels.newest(peer.name, channel)?.ageMs ?? Infinity) < CHANNEL_FRESH_MS;
    if (!fresh('accounts') || !fresh('database')) return false;
    if (!backlogArrived(backlog!, { byPeer: peer.lastAnswer!.applied, here: applier.applied(peer.name) })) return false;
    return !(await rows.unsettled(incident, incident.reachableAt!));
  }

  private momentAgo(peer: Peer, ms: number): Moment {
    const { clock } = this.parts;
    const peerMs = peer.clockMap.peerWallAt(clock.monoMs() - ms);
    const peerAt = peerMs === undefined || peerMs < 0 || peerMs > LATEST_MS ? null : new Date(peerMs).toISOString();
    return { at: new Date(clock.wallMs() - ms).toISOString(), peerAt };
  }
}
