import { Client } from 'pg';
import type { Logger } from 'pino';

/** Any fixed number: the lock whose holder is the one relay of a region. */
const RELAY_LOCK = 7_204_612;
/** Longest wait for the lock's connection or an answer on it. */
const ANSWER_MS = 2_000;
/**
 * The server ends a session that has been silent for this long and so frees the lock of a frozen or vanished process
 * (faults, 21). It is asked every 0.5 s.
 */
const LEASE_MS = 5_000;

/**
 * One owner per region: a session advisory lock on a connection of its own. It only spares work; two relays that both
 * believe that they own it are harmless, since numbers are given under a row lock and readers go by number.
 */
export class RelayLock {
  private client: Client | undefined;
  private owned = false;

  constructor(
    private readonly url: string,
    private readonly logger: Logger,
  ) {}

  get held(): boolean {
    return this.owned;
  }

  /** Takes the lock, or proves that it is still held; to be called every 0.5 s. Never throws. */
  async hold(): Promise<boolean> {
    try {
      const client = (this.client ??= await this.connect());
      const { rows } = await client.query(this.owned ? 'SELECT true AS held' : `SELECT pg_try_advisory_lock(${RELAY_LOCK}) AS held`);
      if (rows[0].held === true && !this.owned) this.logger.info('this process is the outbox relay now');
      this.owned = rows[0].held === true;
    } catch (error) {
      if (this.owned) this.logger.warn({ err: error }, 'the connection that holds the relay lock was lost');
      await this.release();
    }
    return this.owned;
  }

  async release(): Promise<void> {
    this.owned = false;
    const client = this.client;
    this.client = undefined;
    client?.removeAllListeners('end');
    await client?.end().catch(() => undefined);
  }

  private async connect(): Promise<Client> {
    const client = new Client({ connectionString: this.url, application_name: 'homeward-relay-lock', connectionTimeoutMillis: ANSWER_MS, query_timeout: ANSWER_MS, keepAlive: true });
    const lost = () => {
      if (this.client === client) {
        this.owned = false;
        this.client = undefined;
      }
    };
    client.on('error', lost);
    client.on('end', lost);
    await client.connect();
    await client.query(`SET idle_session_timeout = ${LEASE_MS}`);
    return client;
  }
}
