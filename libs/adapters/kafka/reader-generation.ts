import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Admin, Consumer, EachBatchPayload, KafkaConfig } from 'kafkajs';
import type { Logger } from 'pino';
import { type BrokerTls, Kafka, TrackedSockets, kafkaLogs, logLevel, withDeadline } from './connection.js';
import { HEARTBEATS_TOPIC, READ_TOPICS, oneOf } from './topics.js';

/** The settings of readers across the link, from recovery.md, "kafkajs between regions", where they were measured. */
const CONNECTION_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 1_500;
const MAX_WAIT_MS = 400;
const SESSION_TIMEOUT_MS = 6_000;
const REBALANCE_TIMEOUT_MS = 2_000;
const HEARTBEAT_INTERVAL_MS = 1_000;
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 300, restartOnFailure: async () => false };
/** Compressed: some ten times as much is in memory. A quarter of hot-paths.md ("catch-up of accounts"), whose batches were not. */
const MAX_BYTES_PER_PARTITION = 256 * 1_024;
const MAX_BYTES = 2 * 1_024 * 1_024;
const PARTITIONS_AT_ONCE = 4;
/** How often silence is measured, and the most that one look counts, so that a stall of this process is not silence. */
const WATCH_MS = 100;
const WATCH_COUNTS_MS = 200;
/** How often a cluster that lacked a topic is asked whether it has it now. */
const TOPICS_MS = 1_000;
/** Longest wait for a stopping consumer to leave its group; its sockets are destroyed then anyway. */
const LEAVE_MS = 1_000;

export interface GenerationOptions {
  readonly region: string;
  readonly peer: string;
  readonly brokers: readonly string[];
  readonly tls: BrokerTls | undefined;
  /** Silence, in ms, after which the generation ends; while a join is awaited, `joinSilenceMs`. */
  readonly silenceMs: number;
  readonly joinSilenceMs: number;
}

export type Seek = (topic: string, partition: number, offset: number) => void;

export interface GenerationEvents {
  /** A broker answered. */
  answered(): void;
  /** The group was joined for these topics, the first time after `tookMs`: now their offsets are to be given, by `seek`. */
  joined(topics: readonly string[], tookMs: number | undefined): void;
  /** One batch; must not throw, and resolves its offset itself. */
  batch(payload: EachBatchPayload): Promise<void>;
}

/**
 * Why a generation ended. `silent-join`: the broker had answered, then the join was not answered in time. `more-topics`:
 * a topic that the cluster lacked is there now.
 */
export type GenerationEnd = 'stopped' | 'silent' | 'silent-join' | 'more-topics' | 'failed';

/**
 * One kafkajs client with a group id of its own, and its watchdog. kafkajs can't be assigned partitions without a group;
 * the group here has one member and keeps no offsets: they are ours, given after each join. A fixed id would make the
 * next generation wait for this one's ghost. At the first doubt the whole client is thrown away.
 */
export class ReaderGeneration {
  readonly groupId: string;
  private readonly sockets = new TrackedSockets();
  private readonly consumer: Consumer;
  private readonly admin: Admin;
  private topicsTimer: NodeJS.Timeout | undefined;
  private ended: GenerationEnd | undefined;
  private end!: (why: GenerationEnd) => void;
  private silenceMs = 0;
  private lookedAt = performance.now();
  private working = 0;
  private joining: number | undefined;

  constructor(
    private readonly options: GenerationOptions,
    private readonly events: GenerationEvents,
    private readonly logger: Logger,
  ) {
    this.groupId = `homeward.${options.region}.${randomBytes(9).toString('base64url')}`;
    const client = new Kafka(this.clientConfig());
    this.admin = client.admin();
    this.consumer = client.consumer({
      groupId: this.groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_INTERVAL_MS,
      maxWaitTimeInMs: MAX_WAIT_MS,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
      maxBytes: MAX_BYTES,
      allowAutoTopicCreation: false,
      retry: RETRY,
    });
  }

  /** False once the generation has ended: what still arrives from it is ignored. */
  get alive(): boolean {
    return this.ended === undefined;
  }

  /** Reads until it fails, falls silent or is stopped; never throws. */
  async run(): Promise<GenerationEnd> {
    const over = new Promise<GenerationEnd>((resolve) => (this.end = resolve));
    const watch = setInterval(() => this.look(), WATCH_MS);
    this.listen();
    this.read().catch((error: unknown) => this.fail(error));
    this.ended = await over;
    clearInterval(watch);
    clearInterval(this.topicsTimer);
    if (this.ended === 'stopped') await withDeadline(this.consumer.disconnect(), LEAVE_MS, 'leaving the group').catch(() => undefined);
    this.sockets.destroy();
    for (const client of [this.consumer, this.admin]) client.disconnect().catch(() => undefined);
    return this.ended;
  }

  stop(): void {
    this.end?.('stopped');
  }

  /** Ends without a word to the broker, which is no longer the one to read. */
  discard(): void {
    this.end?.('failed');
  }

  /** Where to go on in a partition from the next fetch on. */
  seek(topic: string, partition: number, offset: number): void {
    try {
      if (this.alive) this.consumer.seek({ topic, partition, offset: String(offset) });
    } catch (error) {
      // kafkajs refuses between a crash and our hearing of it; the next generation starts from the kept position.
      this.fail(error);
    }
  }

  /** Subscribed by pattern, since that takes those that are there: the version before this one has fewer (design, "Replication between versions"). */
  private async read(): Promise<void> {
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [oneOf(READ_TOPICS.filter((topic) => topic !== HEARTBEATS_TOPIC))], fromBeginning: true });
    await this.consumer.subscribe({ topics: [oneOf([HEARTBEATS_TOPIC])], fromBeginning: false });
    this.joining = performance.now();
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => this.onBatch(payload),
    });
  }

  private listen(): void {
    const { consumer, events } = this;
    consumer.on(consumer.events.REQUEST, () => {
      this.silenceMs = 0;
      if (this.alive) events.answered();
    });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const tookMs = this.joining === undefined ? undefined : performance.now() - this.joining;
      this.joining = undefined;
      // kafkajs forgets its offsets at every join, so they are given at every join, before the first fetch.
      const topics = Object.keys(payload.memberAssignment);
      if (!this.alive) return;
      events.joined(topics, tookMs);
      const missing = READ_TOPICS.filter((topic) => !topics.includes(topic));
      if (missing.length > 0) this.topicsTimer ??= setInterval(() => void this.lookFor(missing), TOPICS_MS);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => this.fail(payload.error));
  }

  /** kafkajs subscribes only before it joins, so what has come since is read by the next generation. */
  private async lookFor(missing: readonly string[]): Promise<void> {
    try {
      await this.admin.connect();
      const present = await this.admin.listTopics();
      if (missing.some((topic) => present.includes(topic))) this.end('more-topics');
    } catch (error) {
      if (this.alive) this.logger.debug({ err: error, peer: this.options.peer }, "the topics of the peer's Kafka could not be listed");
    }
  }

  /** While batches are worked on nothing is asked of the broker, so that time is not silence. */
  private async onBatch(payload: EachBatchPayload): Promise<void> {
    if (!this.alive) return;
    this.working += 1;
    try {
      await this.events.batch(payload);
    } finally {
      this.working -= 1;
      this.silenceMs = 0;
    }
  }

  private look(): void {
    const now = performance.now();
    const passedMs = Math.min(now - this.lookedAt, WATCH_COUNTS_MS);
    this.lookedAt = now;
    if (this.working > 0) return;
    this.silenceMs += passedMs;
    const joining = this.joining !== undefined;
    if (this.silenceMs > (joining ? this.options.joinSilenceMs : this.options.silenceMs)) this.end(joining ? 'silent-join' : 'silent');
  }

  private fail(error: unknown): void {
    if (this.alive) this.logger.debug({ err: error, peer: this.options.peer }, "reading the peer's Kafka failed");
    this.end('failed');
  }

  private clientConfig(): KafkaConfig {
    const { region, brokers, tls } = this.options;
    const { restartOnFailure: _, ...retry } = RETRY;
    return {
      clientId: `homeward-${region}`,
      brokers: [...brokers],
      ssl: tls === undefined ? false : { ...tls },
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry,
      socketFactory: this.sockets.factory,
      logLevel: logLevel.WARN,
      logCreator: kafkaLogs(this.logger),
    };
  }
}
