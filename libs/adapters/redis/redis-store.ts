import { Redis } from 'ioredis';
import type { Logger } from '#kernel/telemetry';
import { UnavailableError } from '#kernel/problems';

/** A Lua script: its keys come first, then its arguments. */
export interface RedisScript {
  readonly name: string;
  readonly keys: number;
  readonly lua: string;
}

/**
 * A server that says nothing this long while asked is taken for gone: what is in flight is refused within a client's
 * patience, and later calls at once. One timer a connection does it; ioredis' `commandTimeout` makes one per command,
 * which costs a session check 2 µs of 8.
 */
const SILENCE_MS = 500;
/** Longest wait for a connection. */
const CONNECT_TIMEOUT_MS = 1_000;
/** Pause before the first reconnection; it doubles up to the longest, so a Redis that is back is used within half a second. */
const RECONNECT_MS = 25;
const RECONNECT_LONGEST_MS = 500;
/** How often a server that is still loading its data is asked again. */
const LOADING_RETRY_MS = 200;
/** How often the run id is asked again when asking for it failed on a living connection. */
const IDENTIFY_RETRY_MS = 100;
/**
 * Holds the run id of the server that was last compared with PostgreSQL. A restored dump brings the id of another run, so
 * it shows; a process that starts beside a compared server need not compare again.
 */
const TRUSTED_RUN_KEY = 'trusted-run';

/**
 * The own Redis: one connection with automatic pipelining. It fails fast in every state and never queues while away.
 *
 * `trusted` says whether what is read may be believed without asking PostgreSQL: false from the moment the connection closes
 * until the server of the new one has shown a run id that was compared (design, "Sessions, exactly").
 */
export class RedisStore {
  readonly id = 'redis';
  /** For libraries that bring their own commands; everything else goes through the methods, which name failures. */
  readonly client: Redis;
  private runId: string | undefined;
  private trustedNow = false;
  /** Counts connections, so that an answer about an earlier one is not taken for this one's. */
  private connection = 0;
  private stopping = false;
  private readonly waiting = new Set<() => void>();

  constructor(
    options: { url: string; scripts: readonly RedisScript[] },
    private readonly logger: Logger,
  ) {
    this.client = new Redis(options.url, {
      lazyConnect: true,
      protocol: 2,
      socketTimeout: SILENCE_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      maxLoadingRetryTime: LOADING_RETRY_MS,
      // 0, not 1: with 1 what was in flight waits for a second failed reconnection instead of being refused at once.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      enableAutoPipelining: true,
      // Alone, a script that the server does not know yet is sent whole; within a pipeline it would fail.
      autoPipeliningIgnoredCommands: options.scripts.map(({ name }) => name),
      disableClientInfo: true,
      retryStrategy: (times) => Math.min(RECONNECT_MS * 2 ** Math.min(times - 1, 10), RECONNECT_LONGEST_MS),
    });
    for (const { name, keys, lua } of options.scripts) this.client.defineCommand(name, { numberOfKeys: keys, lua });
    this.client.on('error', (error) => this.logger.debug({ err: error }, 'redis connection error'));
    this.client.on('close', () => this.forget());
    this.client.on('ready', () => void this.identify());
  }

  /** Whether commands can be sent now. */
  get connected(): boolean {
    return this.client.status === 'ready';
  }

  /** Whether what is read here may be believed without comparing it with PostgreSQL. */
  get trusted(): boolean {
    return this.trustedNow;
  }

  /** The run id of a connected server that has not been compared with PostgreSQL yet. */
  get untrustedRun(): string | undefined {
    return this.trustedNow ? undefined : this.runId;
  }

  /** Starts connecting and goes on for ever; does not wait for it. */
  run(): void {
    this.client.connect().catch((error: unknown) => this.logger.warn({ err: error }, 'redis can not be reached yet'));
  }

  /** Ends the connection; what is in flight is refused as `unavailable`. */
  stop(): Promise<void> {
    this.stopping = true;
    this.client.disconnect();
    return Promise.resolve();
  }

  /** Calls `fn` each time a server has been identified, trusted or not. */
  onIdentified(fn: () => void): void {
    this.waiting.add(fn);
  }

  /**
   * Declares the server with this run id compared with PostgreSQL. Does nothing when another one is connected by now.
   * @throws UnavailableError
   */
  async trust(runId: string): Promise<void> {
    const { connection } = this;
    if (this.runId !== runId) return;
    await this.ask(() => this.client.set(TRUSTED_RUN_KEY, runId));
    if (this.connection === connection) this.trustedNow = true;
  }

  /** @throws UnavailableError */
  get(key: string): Promise<string | null> {
    return this.client.get(key).catch(refuse);
  }

  /**
   * Runs a script that was given to the constructor.
   * @throws UnavailableError
   */
  script<T>(script: RedisScript, ...keysAndArguments: (string | number)[]): Promise<T> {
    const command = (this.client as unknown as Record<string, (...given: (string | number)[]) => Promise<T>>)[script.name]!;
    return command.apply(this.client, keysAndArguments).catch(refuse);
  }

  /**
   * Any other command.
   * @throws UnavailableError
   */
  ask<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    return command(this.client).catch(refuse);
  }

  private forget(): void {
    this.connection += 1;
    this.runId = undefined;
    this.trustedNow = false;
  }

  private async identify(): Promise<void> {
    const connection = ++this.connection;
    while (this.connection === connection && !this.stopping) {
      try {
        const [info, trustedRun] = await Promise.all([this.client.info('server'), this.client.get(TRUSTED_RUN_KEY)]);
        const runId = /^run_id:(\w+)/m.exec(info)?.[1];
        if (this.connection !== connection || runId === undefined) return;
        this.runId = runId;
        this.trustedNow = runId === trustedRun;
        this.logger.info({ runId, trusted: this.trustedNow }, 'redis is connected');
        for (const fn of this.waiting) fn();
        return;
      } catch (error) {
        this.logger.debug({ err: error }, 'redis did not tell its run id');
        await new Promise((resolve) => setTimeout(resolve, IDENTIFY_RETRY_MS));
      }
    }
  }
}

/** Whatever went wrong with Redis, the caller sees one named problem. */
function refuse(cause: unknown): never {
  throw new UnavailableError('redis', undefined, { cause });
}
