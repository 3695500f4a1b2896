import { limits } from '#kernel/config';
import type { Heartbeat } from '#kernel/wire';

/** A channel by which a peer's rows or events come. */
export type Channel = 'accounts' | 'database';

/** What tells how old a channel is and how far its events are applied. */
export interface ChannelView {
  /** The newest heartbeat that came by this channel, and its age in ms by the monotonic clocks. */
  newest(peer: string, channel: Channel): { heartbeat: Heartbeat; ageMs: number } | undefined;
  /** Event numbers applied here per partition of a stream of that writer. */
  applied(peer: string, stream: 'accounts' | 'epochs'): readonly number[];
}

/**
 * Whether what is known here of a home is at most a second old (design, rule 8): both heartbeats are younger, and every
 * epoch that the home had numbered by then is applied here.
 */
export function isFresh(view: ChannelView, home: string): boolean {
  const kafka = view.newest(home, 'accounts');
  const database = view.newest(home, 'database');
  if (kafka === undefined || database === undefined) return false;
  if (kafka.ageMs >= limits.heartbeatFreshMs || database.ageMs >= limits.heartbeatFreshMs) return false;
  const applied = view.applied(home, 'epochs');
  return database.heartbeat.heads.epochs.every((head, partition) => (applied[partition] ?? 0) >= head);
}
