import type { Logger } from 'pino';
import type { Database } from '#adapters/postgres';
import { Pause } from '#kernel/clock';
import { PARTITIONS, STREAMS, type StreamName, type StreamPositions, positionsBy } from '#kernel/wire';
import type { KafkaPort } from './kafka-port.js';
import { OutboxRows } from './outbox-rows.js';
import { RelayLane } from './relay-lane.js';
import { RelayLock } from './relay-lock.js';

export interface OutboxRelayOptions {
  readonly region: string;
  readonly peers: readonly string[];
  /** For the connection that holds the relay lock. */
  readonly databaseUrl: string;
}

export interface OutboxRelayStatus {
  readonly owner: boolean;
  readonly heads: StreamPositions;
  readonly sent: StreamPositions;
  /** The lowest number per stream and partition that every peer has applied. */
  readonly confirmed: StreamPositions;
  /** Streams and partitions that Kafka refuses at the moment, `stream/partition`. */
  readonly failing: readonly string[];
}

/** The net under the wakes: a wake that was lost, rows of another process (hot-paths, "outbox relay"). */
const POLL_MS = 500;
/** Batches of one delete, and deletes of one partition in one round: a long backlog is deleted without long transactions. */
const TRIM_BATCHES = 500;
const TRIM_ROUNDS = 4;
/** Trimming runs with every second poll. */
const TRIM_EVERY = 2;
/** Longest wait at a stop for sends under way; what is not acknowledged is sent again after the next start. */
const STOP_MS = 3_000;

/** Carries the outbox to Kafka (design, rule 3). One process per region does; any number may try. */
export class OutboxRelay {
  readonly id = 'outbox-relay';
  readonly pages: OutboxRows;
  private readonly lanes: RelayLane[];
  private readonly lock: RelayLock;
  private readonly pause = new Pause();
  private readonly told = new Map<string, number>();
  private readonly trimmed = new Map<RelayLane, number>();
  private prepared = false;
  private working = false;
  private stopping = false;
  private loop: Promise<void> | undefined;

  constructor(
    private readonly options: OutboxRelayOptions,
    db: Database,
    kafka: KafkaPort,
    private readonly logger: Logger,
  ) {
    this.pages = new OutboxRows(db, options.region);
    this.lock = new RelayLock(options.databaseUrl, logger);
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    this.lanes = STREAMS.flatMap((stream) => partitions.map((partition) => new RelayLane(stream, partition, this.pages, kafka, logger)));
  }

  run(): void {
    this.loop = this.poll();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.pause.wake();
    await this.loop;
    await this.rest();
    await this.lock.release();
  }

  /** To be called after the COMMIT of a transaction that wrote an outbox row. */
  wake(stream: StreamName, partition: number): void {
    this.lane(stream, partition).wake();
  }

  /** A peer said, on the peer listener, how far it has applied our events. */
  confirmed(peer: string, stream: StreamName, partition: number, applied: number): void {
    this.told.set(`${peer}/${stream}/${partition}`, applied);
  }

  /** The highest number given per stream and partition, from memory. */
  heads(): StreamPositions {
    return this.positions((lane) => lane.head);
  }

  /** How many events the outbox keeps, and the age of the oldest: one cheap query. */
  backlog(): Promise<{ depth: number; oldestMs: number | null }> {
    return this.pages.backlog();
  }

  status(): OutboxRelayStatus {
    return {
      owner: this.lock.held,
      heads: this.heads(),
      sent: this.positions((lane) => lane.sent),
      confirmed: this.positions((lane) => this.trimmed.get(lane) ?? 0),
      failing: this.lanes.filter(({ failing }) => failing).map(({ stream, partition }) => `${stream}/${partition}`),
    };
  }

  private async poll(): Promise<void> {
    for (let round = 0; !this.stopping; round += 1) {
      try {
        await this.pollOnce(round);
      } catch (error) {
        this.logger.debug({ err: error }, 'the outbox could not be polled');
      }
      await this.pause.wait(POLL_MS);
    }
  }

  private async pollOnce(round: number): Promise<void> {
    if (!this.prepared) {
      await this.pages.prepare();
      this.prepared = true;
    }
    const held = await this.lock.hold();
    if (!held && this.working) await this.rest();
    if (held && !this.working) await this.takeOver();
    await this.readHeads(held);
    if (!held) return;
    for (const { stream, partition } of await this.pages.waiting()) this.find(stream, partition)?.wake();
    for (const lane of this.lanes) await lane.tick();
    if (round % TRIM_EVERY === 0) await this.trim();
  }

  private async takeOver(): Promise<void> {
    for (const { stream, partition, head, sent } of await this.pages.heads()) this.find(stream, partition)?.start(head, sent);
    this.working = true;
  }

  private async rest(): Promise<void> {
    this.working = false;
    const halted = Promise.all(this.lanes.map((lane) => lane.halt()));
    await Promise.race([halted, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
  }

  /**
   * A process that is not the relay still says the heads in its heartbeats; the relay itself learns of numbers that were
   * given without its seeing the answer.
   */
  private async readHeads(held: boolean): Promise<void> {
    for (const { stream, partition, head, sent } of await this.pages.heads()) this.find(stream, partition)?.learn(head, held ? 0 : sent);
  }

  /** Deletes what every peer has applied, in bounded pieces. */
  private async trim(): Promise<void> {
    const replicated = new Map<string, number>();
    for (const row of await this.pages.replicatedApplied()) replicated.set(`${row.region}/${row.stream}/${row.partition}`, row.applied);
    for (const lane of this.lanes) {
      const through = Math.min(lane.head, this.confirmedByAll(lane, replicated));
      if (through <= (this.trimmed.get(lane) ?? 0)) continue;
      if (await this.trimLane(lane, through)) this.trimmed.set(lane, through);
      lane.skipThrough(through);
    }
  }

  private confirmedByAll(lane: RelayLane, replicated: ReadonlyMap<string, number>): number {
    if (this.options.peers.length === 0) return lane.sent;
    const applied = this.options.peers.map((peer) => {
      const key = `${peer}/${lane.stream}/${lane.partition}`;
      return Math.max(this.told.get(key) ?? 0, replicated.get(key) ?? 0);
    });
    return Math.min(...applied);
  }

  private async trimLane(lane: RelayLane, through: number): Promise<boolean> {
    for (let round = 0; round < TRIM_ROUNDS; round += 1) {
      const deleted = await this.pages.trim(lane.stream, lane.partition, through, TRIM_BATCHES);
      if (deleted < TRIM_BATCHES) return true;
    }
    return false;
  }

  private lane(stream: StreamName, partition: number): RelayLane {
    const lane = this.find(stream, partition);
    if (lane === undefined) throw new RangeError(`no partition ${partition} of stream ${stream}`);
    return lane;
  }

  private find(stream: string, partition: number): RelayLane | undefined {
    return this.lanes.find((lane) => lane.stream === stream && lane.partition === partition);
  }

  private positions(of: (lane: RelayLane) => number): StreamPositions {
    return positionsBy((stream) => this.lanes.filter((lane) => lane.stream === stream).map(of));
  }
}
