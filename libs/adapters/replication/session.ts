import { Client, type ClientConfig, type QueryResult } from 'pg';
import { timings } from './timings.js';

/** A server did not answer within the deadline, or the connection was lost: what was asked may have been done. */
export class SessionLostError extends Error {
  readonly code = 'session-lost';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SessionLostError';
  }
}

/**
 * One connection to one PostgreSQL, for work that needs a session (locks, snapshots, temporary tables). Every question has
 * a deadline by this process's clock; where it passes, the socket is destroyed, so nothing late is taken for an answer.
 */
export class Session {
  private lost: Error | undefined;

  private constructor(private readonly client: Client) {
    client.on('error', (error) => this.destroy(error));
    client.on('end', () => this.destroy(new Error('the server closed the connection')));
  }

  /** @throws Error when the server can not be reached within `connectMs` or refuses */
  static async open(config: ClientConfig & { replication?: string }, connectMs: number = timings.connectMs): Promise<Session> {
    const client = new Client({ keepAlive: true, ...config, connectionTimeoutMillis: connectMs } as ClientConfig);
    const session = new Session(client);
    try {
      await session.within(client.connect(), connectMs + timings.closeMs, 'connecting');
      return session;
    } catch (error) {
      session.destroy(error as Error);
      throw error;
    }
  }

  get alive(): boolean {
    return this.lost === undefined;
  }

  /**
   * One statement, or several without values separated by `;`, of which the last one's rows are given.
   * @param deadlineMs by this process's clock; the connection does not survive it
   * @throws SessionLostError, or pg's DatabaseError with its SQLSTATE
   */
  async query<R>(text: string, values?: unknown[], deadlineMs: number = timings.peerQueryMs): Promise<R[]> {
    if (this.lost !== undefined) throw new SessionLostError('the connection was lost', { cause: this.lost });
    const result: QueryResult | QueryResult[] = await this.within(this.client.query(text, values), deadlineMs, 'an answer');
    return (Array.isArray(result) ? result.at(-1)! : result).rows as R[];
  }

  /** BEGIN, `fn`, COMMIT; ROLLBACK where `fn` throws. A lost COMMIT is a SessionLostError, its outcome unknown. */
  async transact<T>(fn: () => Promise<T>, limitMs: number): Promise<T> {
    await this.query('BEGIN');
    try {
      await this.query(`SET LOCAL statement_timeout = ${Math.trunc(limitMs)}`);
      const result = await fn();
      await this.query('COMMIT', undefined, limitMs);
      return result;
    } catch (error) {
      if (this.alive) await this.query('ROLLBACK');
      throw error;
    }
  }

  /** Says goodbye where the server still listens, else destroys the socket; never throws, never waits long. */
  async close(): Promise<void> {
    if (this.alive) await this.within(this.client.end(), timings.closeMs, 'the end').catch(() => undefined);
    this.destroy(new Error('closed'));
  }

  destroy(reason: Error): void {
    if (this.lost !== undefined) return;
    this.lost = reason;
    this.socket()?.destroy();
  }

  private socket(): { destroy(): void } | undefined {
    return (this.client as unknown as { connection?: { stream?: { destroy(): void } } }).connection?.stream;
  }

  private within<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = new SessionLostError(`${what} took longer than ${deadlineMs} ms`);
        this.destroy(error);
        reject(error);
      }, deadlineMs);
      work.then(resolve, (error: Error) => reject(this.lost === undefined || 'severity' in error ? error : new SessionLostError(error.message, { cause: error }))).finally(() => clearTimeout(timer));
    });
  }
}
