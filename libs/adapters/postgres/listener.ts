import { Client } from 'pg';
import type { Logger } from 'pino';
import { limits } from '#kernel/config';

type Heard = (payload: string | undefined) => void;

/** How soon a lost listening connection is made again. */
const RECONNECT_MS = 300;
/** How often the listening connection is asked whether it lives: a frozen or silent server says nothing by itself. */
const PROBE_MS = 2_000;

/**
 * One connection that listens to PostgreSQL's notifications. After a loss every listener is called with `undefined`:
 * it may have missed some. Notifications only hasten; everything that uses them polls as well.
 */
export class Listener {
  readonly id = 'database-listener';
  private readonly heard = new Map<string, Heard[]>();
  private client: Client | undefined;
  private stopping = false;
  private loop: Promise<void> | undefined;
  private wake: () => void = () => undefined;

  constructor(
    private readonly url: string,
    private readonly logger: Logger,
  ) {}

  /** Calls `fn` with each notification's payload on `channel`. To be called before `run`. */
  on(channel: string, fn: Heard): void {
    this.heard.set(channel, [...(this.heard.get(channel) ?? []), fn]);
  }

  run(): void {
    this.loop = this.listen();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.loop;
  }

  private async listen(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.connect();
        await this.untilLost();
      } catch (error) {
        this.logger.debug({ err: error }, 'the listening connection was lost');
      }
      await this.client?.end().catch(() => undefined);
      this.client = undefined;
      if (!this.stopping) await this.pause(RECONNECT_MS);
    }
  }

  private async connect(): Promise<void> {
    const client = new Client({ connectionString: this.url, connectionTimeoutMillis: limits.databaseConnectMs, query_timeout: limits.databaseStatementMs, keepAlive: true });
    this.client = client;
    client.on('error', () => this.wake());
    client.on('end', () => this.wake());
    client.on('notification', ({ channel, payload }) => this.tell(channel, payload ?? ''));
    await client.connect();
    for (const channel of this.heard.keys()) await client.query(`LISTEN ${channel}`);
    for (const channel of this.heard.keys()) this.tell(channel, undefined);
  }

  /** Returns when told to stop; throws when the connection does not answer a probe. */
  private async untilLost(): Promise<void> {
    while (!this.stopping) {
      await this.pause(PROBE_MS);
      if (!this.stopping) await this.client!.query('SELECT 1');
    }
  }

  private tell(channel: string, payload: string | undefined): void {
    for (const fn of this.heard.get(channel) ?? []) fn(payload);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
