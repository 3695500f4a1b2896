import type { Database } from '#adapters/postgres';
import { limits } from '#kernel/config';
import type { Logger } from '#kernel/telemetry';
import { type Heartbeat, readHeartbeat } from '#kernel/wire';

const READ = { name: 'peers-heartbeats', text: 'SELECT body FROM heartbeat WHERE region = ANY($1)' };

/** Hears the heartbeats that come by database replication: on notification, and by polling as the net. */
export class ReplicatedBeats {
  readonly id = 'replicated-beats';
  private timer: NodeJS.Timeout | undefined;
  private reading: Promise<void> | undefined;
  private again = false;

  constructor(
    private readonly peers: readonly string[],
    private readonly database: Database,
    private readonly hear: (heartbeat: Heartbeat) => void,
    private readonly logger: Logger,
  ) {
    database.listener.on('homeward_heartbeat', () => this.look());
  }

  run(): void {
    this.timer = setInterval(() => this.look(), limits.heartbeatFreshMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.reading;
  }

  private look(): void {
    this.again = this.reading !== undefined;
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
      if (this.again) this.look();
    });
  }

  private async read(): Promise<void> {
    try {
      const rows = await this.database.query<{ body: unknown }>(READ, [this.peers]);
      for (const { body } of rows) {
        const heartbeat = readHeartbeat(body);
        if (heartbeat !== undefined) this.hear(heartbeat);
      }
    } catch (error) {
      this.logger.debug({ err: error }, 'heartbeats could not be read');
    }
  }
}
