import type { EachBatchPayload } from 'kafkajs';
import type { Logger } from 'pino';
import type { StreamName } from '#kernel/wire';
import type { Incoming } from './plan-run.js';
import type { Seek } from './reader-generation.js';
import type { Pulled } from './gap-puller.js';
import type { StreamApplier } from './stream-applier.js';

/** Pause of a partition whose batch the database could not take. */
const HOLD_MS = 500;

/**
 * Gives the batches of one generation to the applier. While one batch of a partition is applied the next is fetched, no
 * more: that is what keeps the database busy in a catch-up, and bounds what is in memory. A batch that could not be
 * applied is sought again later, and its partition is held until then while the others go on.
 */
export class BatchFeed {
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly held = new Set<string>();
  private readonly rewound = new Set<string>();
  /** By lane, the writer's head as it was told after the messages up to `offset` had been read. */
  private readonly heads = new Map<string, { readonly head: number; readonly offset: number }>();
  /** Whether the database could not take events at the last try. */
  private waiting = false;

  constructor(
    private readonly peer: string,
    private readonly applier: StreamApplier,
    private readonly seek: Seek,
    private readonly logger: Logger,
  ) {}

  /** Takes one batch, after the one before it; never throws. */
  async take(stream: StreamName, payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, isStale } = payload;
    const lane = `${stream}/${batch.partition}`;
    await this.underWay.get(lane);
    // The one before could not be applied and is sought again; this one comes again after it.
    if (this.held.has(lane) || isStale()) return;
    this.underWay.set(lane, this.apply(stream, payload, lane));
    resolveOffset(batch.lastOffset());
  }

  private async apply(stream: StreamName, payload: EachBatchPayload, lane: string): Promise<void> {
    const { peer } = this;
    const { partition, messages } = payload.batch;
    // kafkajs asks for the next batches first: the peer's broker fetches and encrypts them while these are read and applied.
    await new Promise(setImmediate);
    const known = this.heads.get(lane);
    const incoming = messages.map(({ value, offset: text }): Incoming => {
      const offset = Number(text);
      return { bytes: value ?? Buffer.alloc(0), offset, writerHead: known !== undefined && offset <= known.offset ? known.head : undefined };
    });
    try {
      const gapAt = await this.applier.feed(peer, stream, partition, incoming);
      if (this.waiting) this.logger.info({ peer }, 'events are applied again');
      this.waiting = false;
      if (gapAt === undefined) {
        // Known for this place only: in a topic that is made anew, the same offsets stand for later numbers.
        if (known !== undefined && known.offset <= Number(payload.batch.lastOffset())) this.heads.delete(lane);
        return;
      }
      this.logger.warn({ peer, stream, partition, gapAt }, "numbers are missing in the peer's Kafka; pulling them");
      this.hold(lane, payload, this.applier.fillGap(peer, stream, partition, gapAt));
    } catch (error) {
      if (!this.waiting) this.logger.warn({ err: error, peer, stream, partition }, 'events can not be applied now; they wait in Kafka');
      this.waiting = true;
      this.hold(lane, payload, Promise.resolve({ waitMs: HOLD_MS, head: undefined }));
    }
  }

  private hold(lane: string, { batch, pause }: EachBatchPayload, freed: Promise<Pulled>): void {
    this.held.add(lane);
    const resume = pause();
    this.seek(batch.topic, batch.partition, Number(batch.firstOffset()));
    void freed.then(({ waitMs, head }) => {
      if (head !== undefined) this.heads.set(lane, { head, offset: Number(batch.lastOffset()) });
      if (waitMs > 0) this.rewindOnce(lane, batch.topic, batch.partition);
      setTimeout(() => {
        this.held.delete(lane);
        resume();
      }, waitMs);
    });
  }

  /**
   * The offset that was kept may belong to a topic that was made anew since, and the missing numbers stand before it:
   * where they could not be pulled, the topic is read once from its beginning (0 may be out of range, which means the same).
   */
  private rewindOnce(lane: string, topic: string, partition: number): void {
    if (this.rewound.has(lane) || this.waiting) return;
    this.rewound.add(lane);
    this.seek(topic, partition, 0);
  }
}
