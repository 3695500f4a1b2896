import type { Peer, Peers } from '#adapters/peer-client';
import type { Heartbeat } from '#kernel/wire';
import type { Channel, ChannelView } from '../sign-in/index.js';

/** The newest heartbeat of each peer by each channel, and what was applied of its streams. */
export class Channels implements ChannelView {
  private readonly heard = new Map<string, Heartbeat>();

  constructor(
    private readonly peers: Peers,
    private readonly appliedOf: (peer: string, stream: 'accounts' | 'epochs') => readonly number[],
  ) {}

  /** A heartbeat came by a channel; one that an earlier process of the peer, or an earlier beat, sent late is let go. */
  hear(channel: Channel, heartbeat: Heartbeat): void {
    const key = `${channel}:${heartbeat.region}`;
    const before = this.heard.get(key);
    const late = before !== undefined && before.boot === heartbeat.boot && before.beat >= heartbeat.beat;
    if (!late) this.heard.set(key, heartbeat);
  }

  newest(peer: string, channel: Channel): { heartbeat: Heartbeat; ageMs: number } | undefined {
    const heartbeat = this.heard.get(`${channel}:${peer}`);
    const from: Peer | undefined = this.peers.find(peer);
    return heartbeat === undefined || from === undefined ? undefined : { heartbeat, ageMs: from.ageMs(heartbeat) };
  }

  applied(peer: string, stream: 'accounts' | 'epochs'): readonly number[] {
    return this.appliedOf(peer, stream);
  }
}
