import { Client } from 'pg';
import type { Logger } from 'pino';
import { Pause } from '#kernel/clock';
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
  private readonly pause = new Pause();
  /** Of the connection that there is: the end of one that was given up is no reason to hurry. */
  private untilProbe = new Pause();
  private client: Client | undefined;
  private stopping = false;
  private loop: Promise<void> | undefined;

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
    for (const pause of [this.pause, this.untilProbe]) pause.wake();
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
      if (!this.stopping) await this.pause.wait(RECONNECT_MS);
    }
  }

  private async connect(): Promise<void> {
    const client = new Client({ connectionString: this.url, connectionTimeoutMillis: limits.databaseConnectMs, query_timeout: limits.databaseStatementMs, keepAlive: true });
    const pause = new Pause();
    this.client = client;
    this.untilProbe = pause;
    client.on('error', () => pause.wake());
    client.on('end', () => pause.wake());
    client.on('notification', ({ channel, payload }) => this.tell(channel, payload ?? ''));
    await client.connect();
    for (const channel of this.heard.keys()) await client.query(`LISTEN ${channel}`);
    for (const channel of this.heard.keys()) this.tell(channel, undefined);
  }

  /** Returns when told to stop; throws when the connection does not answer a probe. */
  private async untilLost(): Promise<void> {
    while (!this.stopping) {
      await this.untilProbe.wait(PROBE_MS);
      if (!this.stopping) await this.client!.query('SELECT 1');
    }
  }

  private tell(channel: string, payload: string | undefined): void {
    for (const fn of this.heard.get(channel) ?? []) fn(payload);
  }
}
