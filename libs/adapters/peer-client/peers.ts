import type { Logger } from 'pino';
import type { Clock } from '#kernel/clock';
import type { RegionConfig } from '#kernel/config';
import type { HeartbeatAnswer } from '#kernel/wire';
import type { PeerTls } from './peer-agent.js';
import { Peer, type PeerEvents } from './peer.js';
import { UnknownOutcomes } from './unknown-outcomes.js';

/** All peers of this region, by name. */
export class Peers {
  readonly id = 'peers';
  readonly unknown = new UnknownOutcomes();
  private readonly byName: ReadonlyMap<string, Peer>;
  private readonly answered: ((peer: Peer, answer: HeartbeatAnswer) => void)[] = [];
  private guard: Pick<PeerEvents, 'accepts' | 'superseded'> = { accepts: () => true, superseded: () => undefined };

  constructor(config: RegionConfig, tls: PeerTls, clock: Clock, logger: Logger) {
    const events: PeerEvents = {
      accepts: (peer, answer) => this.guard.accepts(peer, answer),
      answered: (peer, answer) => this.answered.forEach((fn) => fn(peer, answer)),
      superseded: (peer) => this.guard.superseded(peer),
    };
    this.byName = new Map(config.peers.map(({ name, url }) => [name, new Peer({ name, url, own: config.region, tls }, clock, logger, events)]));
  }

  /** Calls `fn` with each heartbeat that a peer answered. To be called before `run`. */
  onAnswer(fn: (peer: Peer, answer: HeartbeatAnswer) => void): void {
    this.answered.push(fn);
  }

  /** Who a peer may be, and what follows where this region is refused as an earlier incarnation. To be called before `run`. */
  guardBy(guard: Pick<PeerEvents, 'accepts' | 'superseded'>): void {
    this.guard = guard;
  }

  /** Presents another certificate to every peer from now on. */
  renew(tls: PeerTls): void {
    for (const peer of this.all) peer.renew(tls);
  }

  run(): void {
    for (const peer of this.all) peer.run();
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((peer) => peer.stop()));
  }

  get all(): Peer[] {
    return [...this.byName.values()];
  }

  find(name: string): Peer | undefined {
    return this.byName.get(name);
  }
}
