import { DataSource } from 'typeorm';
import type { Pool, PoolClient } from 'pg';
import type { Logger } from 'pino';
import { limits } from '#kernel/config';
import { type DiskOptions, DiskReserve } from './disk-reserve.js';
import { ClaimError, DatabaseOutcomeUnknownError, DatabaseUnavailableError, asRefusal, endsConnection, isRefusal, isStatementError } from './errors.js';
import { Listener } from './listener.js';
import { type Claim, WrongIncarnationError, WrongRegionError, prepareSchema } from './schema.js';
import { migrations } from './migrations/index.js';

/** A statement with a name is prepared once per connection (hot-paths: TypeORM's own query() can not name statements). */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** The only thing that can write; it exists inside `Database.transact` alone. */
export interface Transaction {
  query<R>(statement: Statement | string, values?: unknown[]): Promise<R[]>;
}

/** How often a start that found no database tries again. */
const START_RETRY_MS = 500;

/**
 * The own PostgreSQL: TypeORM holds the connection pool and the migrations, statements go through the pool beneath it.
 * Survives the loss and return of the server without a restart: a lost connection is thrown away, the next call makes one.
 */
export class Database {
  readonly id = 'database';
  readonly listener: Listener;
  readonly reserve: DiskReserve;
  private readonly source: DataSource;
  private readonly onReady: (() => void)[] = [];
  private prepared = false;
  private stopping = false;
  private starting: Promise<void> | undefined;
  private claim: Claim | undefined;

  constructor(
    private readonly options: { url: string; region: string; disk?: DiskOptions; pool?: number; incarnation?: number },
    private readonly logger: Logger,
  ) {
    this.listener = new Listener(options.url, logger);
    this.reserve = new DiskReserve(options.disk ?? {}, (text) => this.query(text), logger);
    this.source = new DataSource({
      type: 'postgres',
      url: options.url,
      synchronize: false,
      migrations,
      migrationsTransactionMode: 'each',
      logging: false,
      invalidWhereValuesBehavior: { null: 'throw', undefined: 'throw' },
      applicationName: `homeward-${options.region}`,
      poolErrorHandler: (error: unknown) => this.logger.debug({ err: error }, 'an idle database connection was lost'),
      extra: {
        max: options.pool ?? limits.databasePool,
        connectionTimeoutMillis: limits.databaseConnectMs,
        query_timeout: limits.databaseStatementMs,
        statement_timeout: limits.databaseStatementMs,
        idle_in_transaction_session_timeout: limits.databaseBatchMs,
        keepAlive: true,
      },
    });
  }

  /** Tells it from every other database that claims to be this region's; undefined until it could be read. */
  identity: string | undefined;
  /** Why it is not ready; undefined while it only has not been reached. */
  problem: string | undefined;

  /** What a new database of this region must have before it is used; to be told before `run`. */
  onClaim(claim: Claim): void {
    this.claim = claim;
  }

  /** From now on nothing is read or written: this database is no longer the region's own. */
  retire(why: string): void {
    this.prepared = false;
    this.stopping = true;
    this.problem = why;
  }

  /** True once connected and migrated; stays true while the server is away, since its schema does not leave with it. */
  get ready(): boolean {
    return this.prepared;
  }

  /** Runs `fn` when the schema is there: now, or later. */
  whenReady(fn: () => void): void {
    if (this.prepared) fn();
    else this.onReady.push(fn);
  }

  /** Starts connecting and migrating, and goes on until it has worked; does not wait for it. */
  run(): void {
    this.starting = this.start();
    this.listener.run();
    this.whenReady(() => this.reserve.run());
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.starting;
    await this.reserve.stop();
    await this.listener.stop();
    if (this.source.isInitialized) await this.source.destroy();
  }

  /**
   * One reading statement on a connection of its own.
   * @throws DatabaseUnavailableError when the server can not be asked or does not answer in time
   */
  async query<R>(statement: Statement | string, values: unknown[] = []): Promise<R[]> {
    try {
      return await this.once<R>(statement, values);
    } catch (error) {
      if (error instanceof DatabaseOutcomeUnknownError) throw new DatabaseUnavailableError({ cause: error.cause });
      throw error;
    }
  }

  /**
   * One statement that writes, its own transaction.
   * @throws DatabaseUnavailableError when certainly nothing was done, DatabaseOutcomeUnknownError when it may have been
   */
  write<R>(statement: Statement | string, values: unknown[] = []): Promise<R[]> {
    return this.once<R>(statement, values);
  }

  /**
   * BEGIN, `fn`, COMMIT; ROLLBACK where `fn` throws.
   * @param limitMs longest statement within it
   * @throws what `fn` throws; DatabaseUnavailableError; DatabaseOutcomeUnknownError when COMMIT was not answered
   */
  async transact<T>(fn: (tx: Transaction) => Promise<T>, limitMs: number = limits.databaseStatementMs): Promise<T> {
    const client = await this.checkOut();
    let committing = false;
    try {
      await client.query(limitMs === limits.databaseStatementMs ? 'BEGIN' : `BEGIN; SET LOCAL statement_timeout = ${Math.trunc(limitMs)}`);
      const tx: Transaction = { query: async <R>(statement: Statement | string, values: unknown[] = []) => (await client.query(asConfig(statement, values, limitMs))).rows as R[] };
      const result = await fn(tx);
      committing = true;
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      throw await this.giveUp(client, error, committing);
    }
  }

  private async once<R>(statement: Statement | string, values: unknown[]): Promise<R[]> {
    const client = await this.checkOut();
    try {
      const { rows } = await client.query(asConfig(statement, values));
      client.release();
      return rows as R[];
    } catch (error) {
      if (isLost(error)) {
        client.release(true);
        throw new DatabaseOutcomeUnknownError({ cause: error });
      }
      client.release();
      throw isStatementError(error) && isRefusal(error) ? asRefusal(error) : error;
    }
  }

  /** Ends a failed transaction: rolled back where the server still answers, else the connection is thrown away. */
  private async giveUp(client: PoolClient, error: unknown, committing: boolean): Promise<unknown> {
    const lost = isLost(error);
    if (!lost) {
      const rolledBack = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      client.release(!rolledBack);
      return isStatementError(error) && isRefusal(error) ? asRefusal(error) : error;
    }
    client.release(true);
    return committing ? new DatabaseOutcomeUnknownError({ cause: error }) : new DatabaseUnavailableError({ cause: error });
  }

  private async checkOut(): Promise<PoolClient> {
    if (!this.prepared) throw new DatabaseUnavailableError();
    try {
      const client = await pool(this.source).connect();
      // The pool listens to idle clients only, and a connection that ends between two statements must not end the process.
      if (client.listenerCount('error') === 0) client.on('error', (error) => this.logger.debug({ err: error }, 'a database connection was lost'));
      return client;
    } catch (error) {
      throw new DatabaseUnavailableError({ cause: error });
    }
  }

  private async start(): Promise<void> {
    for (let attempt = 0; !this.stopping; attempt += 1) {
      try {
        if (!this.source.isInitialized) await this.source.initialize();
        this.identity = await prepareSchema(this.source, { ...this.options, claim: this.claim });
        this.problem = undefined;
        this.prepared = !this.stopping;
        this.logger.info('the database is connected and migrated');
        for (const fn of this.onReady.splice(0)) fn();
        return;
      } catch (error) {
        if (error instanceof WrongRegionError || error instanceof WrongIncarnationError) throw error;
        this.problem = error instanceof ClaimError ? error.message : undefined;
        if (attempt % 20 === 0) this.logger.warn({ err: error }, 'the database is not ready yet');
        await new Promise((resolve) => setTimeout(resolve, START_RETRY_MS));
      }
    }
  }
}

/** The pool beneath TypeORM: prepared statements are four to eight times as fast there (hot-paths, "Traps"). */
function pool(source: DataSource): Pool {
  return (source.driver as unknown as { master: Pool }).master;
}

function asConfig(statement: Statement | string, values: unknown[], limitMs: number = limits.databaseStatementMs) {
  const query = typeof statement === 'string' ? { text: statement } : { name: statement.name, text: statement.text };
  return { ...query, values, query_timeout: limitMs };
}

/** The connection is gone, with or without a last word of the server; pg gives its own errors a system code or a sentence. */
function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isStatementError(error)) return endsConnection(error);
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)) return true;
  return /Connection terminated|Query read timeout|not queryable|Client was closed|connection error/i.test(error.message);
}
