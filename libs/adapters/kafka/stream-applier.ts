import type { Logger } from 'pino';
import type { Database } from '#adapters/postgres';
import { Pause } from '#kernel/clock';
import { PARTITIONS, STREAMS, type StreamName, type StreamPositions, positionsBy } from '#kernel/wire';
import { DeadLetters } from './dead-letters.js';
import { GapPuller, type Pulled } from './gap-puller.js';
import type { Incoming } from './plan-run.js';
import type { EventSource, StreamEffect } from './stream-effect.js';
import { StreamLane } from './stream-lane.js';

export interface StreamApplierOptions {
  readonly region: string;
  readonly peers: readonly string[];
}

export interface WriterStatus {
  readonly applied: StreamPositions;
  /** Events that Kafka did not bring and that were pulled, since the process started. */
  readonly pulled: number;
  /** How often the state that a writer's events had led to was copied, since they were gone there too. */
  readonly resynced: number;
  /** Messages kept aside since the process started. */
  readonly deadLettered: number;
  /** `stream/partition` where the writer's head has stayed behind what was applied here for 10 s: it lost events. */
  readonly regressed: readonly string[];
}

/** How often letters are read again and those of a version that is known now are replayed. */
const REPLAY_MS = 60_000;
/** How soon that is repeated while the database is away. */
const RETRY_MS = 1_000;

interface Place {
  readonly lane: StreamLane;
  readonly puller: GapPuller;
}

/** Applies the peers' streams here, whatever way the messages come (design, rules 3 and 4). */
export class StreamApplier {
  readonly id = 'stream-applier';
  readonly letters: DeadLetters;
  private readonly places = new Map<string, Place>();
  private readonly pause = new Pause();
  private stopping = false;
  private loop: Promise<void> | undefined;

  constructor(
    private readonly options: StreamApplierOptions,
    db: Database,
    effects: readonly StreamEffect[],
    source: EventSource,
    private readonly logger: Logger,
  ) {
    this.letters = new DeadLetters(options.region, db, effects, logger);
    for (const writer of options.peers) {
      for (const effect of effects) {
        for (let partition = 0; partition < PARTITIONS; partition += 1) {
          const lane = new StreamLane(options.region, writer, partition, effect, db, this.letters, logger);
          this.places.set(`${writer}/${effect.stream}/${partition}`, { lane, puller: new GapPuller(lane, source, logger) });
        }
      }
    }
  }

  run(): void {
    this.loop = this.replayLoop();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    for (const { puller } of this.places.values()) puller.stop();
    this.pause.wake();
    await this.loop;
    await Promise.all([...this.places.values()].map(({ lane }) => lane.settled()));
  }

  /**
   * Reads all positions of a writer's streams.
   * @throws DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async load(writer: string): Promise<void> {
    for (const { lane } of this.of(writer)) await lane.load();
  }

  /** Reads all positions of a writer's streams again, since something else moved them. */
  async reload(writer: string): Promise<void> {
    for (const { lane } of this.of(writer)) await lane.forget();
  }

  /** The Kafka offset to go on from; undefined when none is known, which means from the beginning. */
  nextOffset(writer: string, stream: StreamName, partition: number): number | undefined {
    const offset = this.places.get(`${writer}/${stream}/${partition}`)?.lane.offset ?? -1;
    return offset < 0 ? undefined : offset + 1;
  }

  /**
   * Applies a batch from Kafka.
   * @returns the number seen behind a gap: then the batch is to be given again after `fillGap`
   * @throws when the database can't do it now: the batch is to be given again
   */
  async feed(writer: string, stream: StreamName, partition: number, batch: readonly Incoming[]): Promise<number | undefined> {
    return this.places.get(`${writer}/${stream}/${partition}`)?.lane.apply(batch);
  }

  /** Pulls what is missing below `gapAt`; tells after how many ms the batch may be given again. Never throws. */
  async fillGap(writer: string, stream: StreamName, partition: number, gapAt: number): Promise<Pulled> {
    return (await this.places.get(`${writer}/${stream}/${partition}`)?.puller.pullThrough(gapAt - 1)) ?? { waitMs: 0, head: undefined };
  }

  /** The heads of a writer, as told by another channel than Kafka; each lane pulls when it is 1 s behind without progress. */
  noticeHeads(writer: string, heads: StreamPositions): void {
    for (const { lane, puller } of this.of(writer)) {
      const head = heads[lane.stream][lane.partition];
      if (head !== undefined && !this.stopping) puller.notice(head);
    }
  }

  /** How far a writer's streams are applied, from memory: what the heartbeat answer tells it. */
  applied(writer: string): StreamPositions {
    return positionsBy((stream) => Array.from({ length: PARTITIONS }, (_, partition) => this.places.get(`${writer}/${stream}/${partition}`)?.lane.last ?? 0));
  }

  status(writer: string): WriterStatus {
    const places = this.of(writer);
    const sum = (of: (place: Place) => number) => places.reduce((total, place) => total + of(place), 0);
    return {
      applied: this.applied(writer),
      pulled: sum(({ puller }) => puller.pulled),
      resynced: sum(({ puller }) => puller.resynced),
      deadLettered: sum(({ lane }) => lane.deadLettered),
      regressed: places.filter(({ puller }) => puller.regressed).map(({ lane }) => `${lane.stream}/${lane.partition}`),
    };
  }

  private of(writer: string): Place[] {
    return STREAMS.flatMap((stream) => Array.from({ length: PARTITIONS }, (_, partition) => this.places.get(`${writer}/${stream}/${partition}`))).filter(
      (place) => place !== undefined,
    );
  }

  private async replayLoop(): Promise<void> {
    while (!this.stopping) {
      let waitMs = REPLAY_MS;
      try {
        await this.letters.load();
        await this.letters.replayUnderstood();
        for (const peer of this.options.peers) await this.load(peer);
      } catch (error) {
        this.logger.debug({ err: error }, 'dead letters could not be read yet');
        waitMs = RETRY_MS;
      }
      if (!this.stopping) await this.pause.wait(waitMs);
    }
  }
}
