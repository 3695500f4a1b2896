import type { Producer } from 'kafkajs';
import type { Logger } from 'pino';
import { CompressionTypes, Kafka, TrackedSockets, kafkaLogs, logLevel, withDeadline } from './connection.js';

export interface ProducedMessage {
  readonly key: string | null;
  readonly value: Buffer;
}

export interface ProducerSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** To a managed cluster; plaintext without. */
  readonly tls?: boolean | undefined;
  /** Longest wait for one answer. kafkajs makes `retries + 1` attempts. */
  readonly requestTimeoutMs: number;
  readonly retries: number;
}

/** Longest wait for a TCP connection to the own cluster. */
const CONNECT_TIMEOUT_MS = 1_000;
/** Batches above this are compressed, to about a tenth; a single event would only wait for it. */
const COMPRESS_ABOVE_BYTES = 4_096;
/** kafkajs's pauses between attempts, kept short: the outbox is the real retry. */
const RETRY_PAUSE_MS = 100;
const MAX_RETRY_PAUSE_MS = 400;

/**
 * One kafkajs producer and its sockets. After any failure the whole client is thrown away and the next send makes a new
 * one: kafkajs keeps sockets that timed out and half a message across reconnects (recovery.md). `idempotent` is off,
 * since it loses messages when a frozen broker thaws (parts.md, measured).
 */
export class ProducerLink {
  private current: { producer: Producer; sockets: TrackedSockets; ready: Promise<void> } | undefined;
  private readonly deadlineMs: number;

  constructor(
    private readonly settings: ProducerSettings,
    private readonly logger: Logger,
  ) {
    const attempts = settings.retries + 1;
    this.deadlineMs = attempts * (CONNECT_TIMEOUT_MS + settings.requestTimeoutMs + MAX_RETRY_PAUSE_MS);
  }

  /** True from a successful send until the next failure. */
  connected = false;

  /**
   * Sends to one partition and waits until all in-sync replicas have it.
   * @throws Error when it was not acknowledged: it may have been stored all the same
   */
  async send(topic: string, partition: number, messages: readonly ProducedMessage[]): Promise<void> {
    const client = (this.current ??= this.connect());
    try {
      await client.ready;
      const compression = messages.reduce((sum, { value }) => sum + value.length, 0) > COMPRESS_ABOVE_BYTES ? CompressionTypes.ZSTD : CompressionTypes.None;
      const batch = { topic, acks: -1, timeout: this.settings.requestTimeoutMs, compression, messages: messages.map(({ key, value }) => ({ key, value, partition })) };
      await withDeadline(client.producer.send(batch), this.deadlineMs, `a send to ${topic}`);
      this.connected = true;
    } catch (error) {
      this.discard(client);
      throw error;
    }
  }

  async close(): Promise<void> {
    const client = this.current;
    if (client === undefined) return;
    this.current = undefined;
    await withDeadline(client.producer.disconnect(), this.settings.requestTimeoutMs, 'disconnecting').catch(() => undefined);
    client.sockets.destroy();
  }

  private connect() {
    const { brokers, clientId, tls, requestTimeoutMs, retries } = this.settings;
    const sockets = new TrackedSockets();
    const retry = { retries, initialRetryTime: RETRY_PAUSE_MS, maxRetryTime: MAX_RETRY_PAUSE_MS };
    const kafka = new Kafka({
      clientId,
      brokers: [...brokers],
      ssl: tls ?? false,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      retry,
      socketFactory: sockets.factory,
      logLevel: logLevel.WARN,
      logCreator: kafkaLogs(this.logger),
    });
    const producer = kafka.producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      retry,
      createPartitioner: () => ({ message }) => message.partition!,
    });
    const ready = withDeadline(producer.connect(), this.deadlineMs, 'connecting to Kafka');
    return { producer, sockets, ready };
  }

  private discard(client: NonNullable<ProducerLink['current']>): void {
    if (this.current !== client) return;
    this.current = undefined;
    this.connected = false;
    client.sockets.destroy();
    client.producer.disconnect().catch(() => undefined);
  }
}
