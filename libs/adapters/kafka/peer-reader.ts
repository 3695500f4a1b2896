import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import type { EachBatchPayload } from 'kafkajs';
import type { Logger } from 'pino';
import { Pause } from '#kernel/clock';
import { type Heartbeat, PARTITIONS, STREAMS, decodeHeartbeat } from '#kernel/wire';
import { BatchFeed } from './batch-feed.js';
import type { BrokerTls } from './connection.js';
import { type GenerationEnd, ReaderGeneration, type Seek } from './reader-generation.js';
import type { StreamApplier } from './stream-applier.js';
import { READ_TOPICS, streamOf, topicOf } from './topics.js';

export interface PeerReaderOptions {
  readonly region: string;
  readonly peer: string;
  /** The peer's brokers as seen from here, through the link. */
  readonly brokers: readonly string[];
  /** PEM files, read again for every generation so that new certificates are taken up; plaintext without. */
  readonly tls?: { readonly caFile: string; readonly certFile: string; readonly keyFile: string } | undefined;
}

export interface PeerReaderStatus {
  readonly connected: boolean;
  /** How many clients were made so far. */
  readonly generations: number;
  /** Age of the last answer of a broker in ms; null when there was none yet. */
  readonly lastAnswerMs: number | null;
  /** Topics that the peer's Kafka lacks, as an older version's does; what they would bring is pulled, and they are read once they are there. */
  readonly missingTopics: readonly string[];
}

/** Without any answer for this long the client is thrown away (recovery.md). */
const SILENCE_MS = 1_500;
/**
 * A cluster with `group.initial.rebalance.delay.ms` above 0 lets a join wait that long. The patience with a join is
 * doubled up to this after a join that went unanswered, and follows what joins have taken, so a cluster without that
 * delay keeps the short one.
 */
const MAX_JOIN_SILENCE_MS = 8_000;
/** Pause between generations: the first after one that had read, doubled up to the last while none does. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 500;

/** Reads a peer's topics across the link and feeds the applier, generation after generation (recovery.md). */
export class PeerReader {
  readonly id: string;
  private readonly pause = new Pause();
  private stopping = false;
  private loop: Promise<void> | undefined;
  private generation: ReaderGeneration | undefined;
  private generations = 0;
  private joined = false;
  private missingTopics: readonly string[] = [];
  private answeredAt: number | undefined;
  private serverName: string;
  private joinSilenceMs = SILENCE_MS;
  private pauseMs = FIRST_PAUSE_MS;

  constructor(
    private readonly options: PeerReaderOptions,
    private readonly applier: StreamApplier,
    private readonly onHeartbeat: (peer: string, heartbeat: Heartbeat) => void,
    private readonly logger: Logger,
  ) {
    this.id = `peer-reader-${options.peer}`;
    this.serverName = options.peer;
  }

  run(): void {
    this.loop = this.generate();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.generation?.stop();
    this.pause.wake();
    await this.loop;
  }

  /** Reads from now on only a broker whose certificate carries this name, which tells the peer's incarnation. */
  expect(serverName: string): void {
    if (serverName === this.serverName) return;
    this.serverName = serverName;
    this.generation?.discard();
  }

  status(): PeerReaderStatus {
    const lastAnswerMs = this.answeredAt === undefined ? null : Math.round(performance.now() - this.answeredAt);
    return { connected: this.joined, generations: this.generations, lastAnswerMs, missingTopics: this.missingTopics };
  }

  private async generate(): Promise<void> {
    while (!this.stopping) {
      try {
        this.after(await this.readOnce());
      } catch (error) {
        this.logger.debug({ err: error, peer: this.options.peer }, "the peer's Kafka can not be read yet");
        this.after('failed');
      }
      if (!this.stopping) await this.pause.wait(this.pauseMs);
    }
  }

  private async readOnce(): Promise<GenerationEnd> {
    const { region, peer, brokers } = this.options;
    await this.applier.load(peer);
    const tls = await this.readTls();
    if (this.stopping) return 'stopped';
    const options = { region, peer, brokers, tls, silenceMs: SILENCE_MS, joinSilenceMs: this.joinSilenceMs };
    const seek: Seek = (...to) => generation.seek(...to);
    const feed = new BatchFeed(peer, this.applier, seek, this.logger);
    const events = {
      answered: () => (this.answeredAt = performance.now()),
      joined: (topics: readonly string[], tookMs: number | undefined) => this.onJoined(topics, seek, tookMs),
      batch: (payload: EachBatchPayload) => this.onBatch(payload, feed),
    };
    this.generations += 1;
    const generation = new ReaderGeneration(options, events, this.logger);
    this.generation = generation;
    return generation.run();
  }

  private after(end: GenerationEnd): void {
    if (end === 'more-topics') this.logger.info({ peer: this.options.peer }, "the peer's Kafka has topics now that it lacked");
    else if (this.joined && end !== 'stopped') this.logger.warn({ peer: this.options.peer, end }, "reading the peer's Kafka was interrupted");
    this.pauseMs = this.joined ? FIRST_PAUSE_MS : Math.min(this.pauseMs * 2, MAX_PAUSE_MS);
    if (end === 'silent-join') this.joinSilenceMs = Math.min(this.joinSilenceMs * 2, MAX_JOIN_SILENCE_MS);
    this.joined = false;
  }

  private onJoined(topics: readonly string[], seek: Seek, tookMs: number | undefined): void {
    this.missingTopics = READ_TOPICS.filter((topic) => !topics.includes(topic));
    const { generations: generation, missingTopics } = this;
    if (!this.joined) this.logger[missingTopics.length > 0 ? 'warn' : 'info']({ peer: this.options.peer, generation, missingTopics }, "reading the peer's Kafka");
    this.joined = true;
    if (tookMs !== undefined) this.joinSilenceMs = Math.min(Math.max(SILENCE_MS, 2 * tookMs), MAX_JOIN_SILENCE_MS);
    for (const stream of STREAMS.filter((name) => topics.includes(topicOf(name)))) {
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        const offset = this.applier.nextOffset(this.options.peer, stream, partition);
        if (offset !== undefined) seek(topicOf(stream), partition, offset);
      }
    }
  }

  private async onBatch(payload: EachBatchPayload, feed: BatchFeed): Promise<void> {
    const { batch, resolveOffset } = payload;
    const stream = streamOf(batch.topic);
    if (stream !== undefined) return feed.take(stream, payload);
    this.takeHeartbeat(batch.messages.at(-1)?.value ?? null);
    resolveOffset(batch.lastOffset());
  }

  /** Only the newest of a batch says anything; one that can't be read is none. */
  private takeHeartbeat(value: Buffer | null): void {
    const heartbeat = value === null ? undefined : decodeHeartbeat(value);
    if (heartbeat?.region === this.options.peer) this.onHeartbeat(this.options.peer, heartbeat);
  }

  private async readTls(): Promise<BrokerTls | undefined> {
    const { tls } = this.options;
    if (tls === undefined) return undefined;
    const [ca, cert, key] = await Promise.all([tls.caFile, tls.certFile, tls.keyFile].map((file) => readFile(file, 'utf8')));
    return { ca: ca!, cert: cert!, key: key!, servername: this.serverName };
  }
}
