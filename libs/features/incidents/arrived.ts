import { STREAMS, type StreamPositions } from '#kernel/wire';

/** What had been written on both sides when a peer became reachable again. */
export interface Backlog {
  readonly own: StreamPositions;
  readonly peers: StreamPositions;
}

/** Whether all of it has been applied where it was going: ours at the peer, the peer's here. */
export function backlogArrived(backlog: Backlog, applied: { readonly byPeer: StreamPositions; readonly here: StreamPositions }): boolean {
  return STREAMS.every((stream) => reached(backlog.own[stream], applied.byPeer[stream]) && reached(backlog.peers[stream], applied.here[stream]));
}

function reached(heads: readonly number[], applied: readonly number[]): boolean {
  return heads.every((head, partition) => (applied[partition] ?? 0) >= head);
}
