import type { Logger } from 'pino';
import { Pause } from '#kernel/clock';
import { Kafka, TrackedSockets, kafkaLogs, logLevel, withDeadline } from './connection.js';
import { type ProducedMessage, ProducerLink } from './producer-link.js';
import { HEARTBEATS_TOPIC, createMissingTopics } from './topics.js';

export interface KafkaPortOptions {
  readonly region: string;
  /** The own cluster, host:port. */
  readonly brokers: readonly string[];
  readonly replication: number;
  readonly tls?: boolean | undefined;
}

export interface KafkaPortStatus {
  readonly connected: boolean;
  readonly topicsReady: boolean;
  /** How often a topic had to be made, the first time included. */
  readonly topicsMade: number;
  readonly beatsSkipped: number;
}

/** One answer of a broker (parts.md, "a frozen broker holds a send"): three of these bound a send. */
const REQUEST_TIMEOUT_MS = 3_000;
const SEND_RETRIES = 2;
/** A heartbeat that was not stored by then is worthless. */
const BEAT_TIMEOUT_MS = 1_000;
/** How often it is checked that the topics are still there. */
const TOPIC_CHECK_MS = 3_000;
/** How soon a failed check is repeated: a fresh broker answers "coordinator is loading" for a while. */
const TOPIC_RETRY_MS = 500;
/** Longest check, creation included. */
const TOPIC_DEADLINE_MS = 10_000;

/**
 * The own Kafka cluster: keeps the topics there, sends stream messages and heartbeats. Nothing here waits for a cluster
 * that is away, and nothing is buffered: the outbox is the buffer.
 */
export class KafkaPort {
  readonly id = 'kafka-port';
  private readonly streams: ProducerLink;
  /** A connection of its own, so that a heartbeat does not queue behind a batch. */
  private readonly beats: ProducerLink;
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly pause = new Pause();
  private stopping = false;
  private loop: Promise<void> | undefined;
  private topicsReady = false;
  private topicsMade = 0;
  private beatUnderWay = false;
  private beatsSkipped = 0;

  constructor(
    private readonly options: KafkaPortOptions,
    private readonly logger: Logger,
  ) {
    const common = { brokers: options.brokers, clientId: `homeward-${options.region}`, tls: options.tls };
    this.streams = new ProducerLink({ ...common, requestTimeoutMs: REQUEST_TIMEOUT_MS, retries: SEND_RETRIES }, logger);
    this.beats = new ProducerLink({ ...common, requestTimeoutMs: BEAT_TIMEOUT_MS, retries: 0 }, logger);
  }

  /** Whether the topics are there and the last heartbeat was stored: events may be sent too rarely to tell (test/regions/ops.spec.ts). */
  get healthy(): boolean {
    return this.topicsReady && this.beats.connected;
  }

  run(): void {
    this.loop = this.keepTopics();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.pause.wake();
    await Promise.all([this.loop, this.streams.close(), this.beats.close()]);
  }

  /**
   * Sends messages to one partition, in order, one send in flight per partition: a second call waits for the first.
   * Resolves when all in-sync replicas have them.
   * @throws Error when they were not acknowledged: the outcome is unknown, the same messages are to be sent again
   */
  async produce(topic: string, partition: number, messages: readonly ProducedMessage[]): Promise<void> {
    const lane = `${topic}/${partition}`;
    const before = this.underWay.get(lane);
    const send = (before ?? Promise.resolve()).catch(() => undefined).then(() => this.streams.send(topic, partition, messages));
    this.underWay.set(lane, send);
    try {
      await send;
    } catch (error) {
      this.pause.wake();
      throw error;
    } finally {
      if (this.underWay.get(lane) === send) this.underWay.delete(lane);
    }
  }

  /** Sends one heartbeat and does not wait for it; skips it while the one before is still under way. */
  beat(value: Buffer): void {
    if (this.beatUnderWay || !this.topicsReady) {
      this.beatsSkipped += 1;
      return;
    }
    this.beatUnderWay = true;
    this.beats
      .send(HEARTBEATS_TOPIC, 0, [{ key: this.options.region, value }])
      .catch((error: unknown) => {
        this.logger.debug({ err: error }, 'a heartbeat was not stored by the own Kafka');
        this.pause.wake();
      })
      .finally(() => {
        this.beatUnderWay = false;
      });
  }

  status(): KafkaPortStatus {
    return { connected: this.healthy, topicsReady: this.topicsReady, topicsMade: this.topicsMade, beatsSkipped: this.beatsSkipped };
  }

  /**
   * Makes the topics that are missing.
   * @throws Error when the cluster does not do it within 10 s
   */
  async ensureTopics(): Promise<void> {
    const sockets = new TrackedSockets();
    const kafka = new Kafka({
      clientId: `homeward-${this.options.region}-admin`,
      brokers: [...this.options.brokers],
      ssl: this.options.tls ?? false,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: { retries: 1, initialRetryTime: TOPIC_RETRY_MS },
      socketFactory: sockets.factory,
      logLevel: logLevel.WARN,
      logCreator: kafkaLogs(this.logger),
    });
    try {
      const made = await withDeadline(createMissingTopics(kafka, this.options.replication), TOPIC_DEADLINE_MS, 'checking the topics');
      this.topicsMade += made.length;
      if (made.length > 0) this.logger.warn({ topics: made }, 'topics were missing and have been made');
      this.topicsReady = true;
    } finally {
      sockets.destroy();
    }
  }

  private async keepTopics(): Promise<void> {
    while (!this.stopping) {
      let soon = false;
      try {
        await this.ensureTopics();
      } catch (error) {
        soon = !this.topicsReady;
        this.logger.debug({ err: error }, 'the topics of the own Kafka could not be checked');
      }
      if (this.stopping) return;
      // A failed send wakes this loop, so a minimum pause keeps a dead cluster from being asked without end.
      await new Promise((resolve) => setTimeout(resolve, TOPIC_RETRY_MS));
      if (!soon) await this.pause.wait(TOPIC_CHECK_MS - TOPIC_RETRY_MS);
    }
  }
}
