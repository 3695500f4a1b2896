import type { Database } from '#adapters/postgres';
import type { Logger } from '#kernel/telemetry';

/** Rows deleted by one statement, so that it never runs long or fills the replication slot at once. */
const BATCH = 1_000;
const INTERVAL_MS = 10 * 60_000;

/** A day longer than the session itself could live: clocks of regions differ. */
const TRIM = {
  name: 'ended-session-trim',
  text: `
  DELETE FROM ended_session WHERE region = $1 AND session_hash IN (
    SELECT session_hash FROM ended_session WHERE region = $1 AND expires_at < now() - interval '1 day' LIMIT ${BATCH})
  RETURNING 1`,
};

/** Deletes this region's own rows about sessions that have expired by themselves; peers lose them by replication. */
export class SessionJanitor {
  readonly id = 'session-janitor';
  private timer: NodeJS.Timeout | undefined;
  private trimming: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(
    private readonly own: string,
    private readonly database: Pick<Database, 'write'>,
    private readonly logger: Logger,
  ) {}

  run(): void {
    this.timer = setInterval(() => {
      this.trimming = this.trim();
    }, INTERVAL_MS);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.trimming;
  }

  /** Deletes all that is due, in batches. A failure is left to the next round: nothing depends on when the rows go. */
  private async trim(): Promise<void> {
    try {
      let deleted = BATCH;
      while (deleted === BATCH && !this.stopping) deleted = (await this.database.write(TRIM, [this.own])).length;
    } catch (error) {
      this.logger.debug({ err: error }, 'expired endings of sessions were not trimmed');
    }
  }
}
