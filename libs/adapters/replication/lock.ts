import { Session } from './session.js';
import { timings } from './timings.js';

/**
 * The right to mend one pair: an advisory lock of a session of its own. Every local change of a set-up runs over this very
 * session, so a process that has lost the lock has lost the means as well.
 */
export class MendingLock {
  private session: Session | undefined;
  private mine = false;

  constructor(
    private readonly databaseUrl: string,
    private readonly name: string,
  ) {}

  get held(): boolean {
    return this.mine && this.session?.alive === true;
  }

  /**
   * The session, where this process holds the lock; undefined where another process of the region does.
   * @throws where the own database can not be asked
   */
  async take(): Promise<Session | undefined> {
    if (this.session?.alive !== true) {
      this.mine = false;
      this.session = await Session.open({ connectionString: this.databaseUrl, application_name: 'homeward-replication' });
    }
    if (!this.mine) {
      const [row] = await this.session.query<{ mine: boolean }>('SELECT pg_try_advisory_lock(4857, hashtext($1)) AS mine', [this.name], timings.ownQueryMs);
      this.mine = row!.mine;
    }
    return this.mine ? this.session : undefined;
  }

  async release(): Promise<void> {
    this.mine = false;
    await this.session?.close();
  }

  /** Ends what runs over the session at once, for a stop. */
  break(reason: Error): void {
    this.session?.destroy(reason);
  }
}
