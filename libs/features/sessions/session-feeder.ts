import type { Database, Transaction } from '#adapters/postgres';
import { type Clock, Pause } from '#kernel/clock';
import type { Logger } from '#kernel/telemetry';
import { UnavailableError } from '#kernel/problems';
import { CatchUp } from './catch-up.js';
import type { KnownEndings } from './known-endings.js';
import { reconcile } from './reconcile.js';
import type { Raised, SessionStore } from './session-store.js';

/** The arrivals that leave a redis_pending row; the others concern nobody here. */
const ENDS_SESSIONS = /^(password|signout|ended_session):/;
/** Endings applied in one transaction: enough to be quick, few enough for one round of Redis within its time limit. */
const BATCH = 250;
/** The net under notifications and wake-ups, a quarter of what may pass before checks ask PostgreSQL. */
const PASS_INTERVAL_MS = 250;
/** Longest wait of a caller for Redis after its commit; then the flag does the same work. */
const APPLY_WAIT_MS = 500;
/** One of so many failed passes in a row is logged as a warning: four a second would drown the rest. */
const WARN_EACH = 40;

const OLDEST = {
  name: 'pending-oldest',
  text: `SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS age_ms FROM redis_pending ORDER BY id LIMIT 1`,
};
const TAKE = {
  name: 'pending-take',
  text: `SELECT id, account, session_hash, (extract(epoch FROM expires_at) * 1000)::float8 AS expires_ms
         FROM redis_pending ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`,
};
const DELETE = { name: 'pending-delete', text: 'DELETE FROM redis_pending WHERE id = ANY($1::bigint[])' };
const STATUS = {
  name: 'pending-status',
  text: `SELECT count(*)::int AS rows, coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(created_at)) * 1000), 0)::float8 AS "oldestMs" FROM redis_pending`,
};

interface Row {
  readonly id: string;
  readonly account: string | null;
  readonly session_hash: Buffer | null;
  readonly expires_ms: number | null;
}

/**
 * Brings what PostgreSQL knows to have ended sessions into Redis, and knows whether Redis has it all. Phases of a pass:
 * compare a server that is new, apply pending rows (several processes share them), see what is left.
 */
export class SessionFeeder {
  readonly id = 'session-feeder';
  private readonly catchUp: CatchUp;
  private readonly pause = new Pause();
  /** A failing pass keeps its distance whatever wakes it, or a Redis that is gone would be asked without pause. */
  private readonly distance = new Pause();
  private stopping = false;
  private failures = 0;
  private loop: Promise<void> | undefined;

  /** @param subscribe calls its argument with the payload of each `homeward_arrived` notification (undefined: some may be lost) */
  constructor(
    private readonly database: Pick<Database, 'query' | 'transact'>,
    private readonly store: SessionStore,
    private readonly known: KnownEndings,
    private readonly clock: Clock,
    subscribe: (heard: (payload: string | undefined) => void) => void,
    private readonly logger: Logger,
  ) {
    this.catchUp = new CatchUp(clock);
    store.redis.onIdentified(() => this.wake());
    subscribe((payload) => {
      if (payload === undefined || ENDS_SESSIONS.test(payload)) this.wake();
    });
  }

  run(): void {
    this.loop = this.passes();
  }

  /** Ends after the pass under way; rows that were not applied stay for the next start. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const pause of [this.pause, this.distance]) pause.wake();
    await this.loop;
  }

  /** To be called after a commit that left redis_pending rows. */
  wake(): void {
    this.pause.wake();
  }

  /**
   * Whether a check must compare a session with PostgreSQL. To be asked *after* Redis has replied: a process that was
   * frozen between the two would otherwise believe an old reply.
   */
  mustCompare(): boolean {
    return !this.store.redis.trusted || this.catchUp.stale;
  }

  /** For status pages: rows not in Redis yet and the age of the oldest one. @throws DatabaseUnavailableError */
  async pending(): Promise<{ rows: number; oldestMs: number }> {
    const [row] = await this.database.query<{ rows: number; oldestMs: number }>(STATUS);
    return row!;
  }

  /** After a commit: waits a short while until Redis has all endings. What it lacks then, checks ask PostgreSQL for. Never throws. */
  async applyNow(): Promise<void> {
    const caughtUp = this.catchUp.caughtUp(APPLY_WAIT_MS);
    this.wake();
    if (!(await caughtUp)) this.catchUp.fellBehind();
  }

  /** After a commit that raised an account: its sessions are dead here when this returns. Never throws. */
  async raiseNow(account: string, raised: Raised): Promise<void> {
    await this.promise(this.store.raise(account, raised));
  }

  /** After a commit that signed a session out: it is dead here when this returns. Never throws. */
  async endNow(hashB64: string, expiresAtMs: number): Promise<void> {
    await this.promise(this.store.end(hashB64, expiresAtMs - this.clock.wallMs()));
  }

  private async promise(applied: Promise<unknown>): Promise<void> {
    try {
      await applied;
    } catch (error) {
      this.catchUp.fellBehind();
      this.logger.debug({ err: error }, 'an ending waits for redis');
    }
    this.wake();
  }

  private async passes(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.pass();
        this.failures = 0;
      } catch (error) {
        const level = this.failures % WARN_EACH === 0 ? 'warn' : 'debug';
        this.failures += 1;
        this.logger[level]({ err: error, oldestMs: this.catchUp.oldestPendingMs }, 'endings of sessions could not be brought to redis');
      }
      if (!this.stopping) await (this.failures > 0 ? this.distance : this.pause).wait(PASS_INTERVAL_MS);
    }
  }

  private async pass(): Promise<void> {
    const startedMs = this.clock.monoMs();
    const { untrustedRun } = this.store.redis;
    if (untrustedRun !== undefined) await this.compareAll(untrustedRun);
    let oldestMs = await this.oldest();
    if (oldestMs !== undefined) {
      await this.drain();
      oldestMs = await this.oldest();
    }
    this.catchUp.passed(startedMs, oldestMs);
  }

  private async drain(): Promise<void> {
    if (!this.store.redis.connected) throw new UnavailableError('redis');
    let took = BATCH;
    while (took === BATCH && !this.stopping) took = await this.database.transact((tx) => this.applyBatch(tx));
  }

  /** Applies and deletes up to BATCH rows. One that can not be applied stays, is reported, and does not hold up the others. */
  private async applyBatch(tx: Transaction): Promise<number> {
    const rows = await tx.query<Row>(TAKE, [BATCH]);
    if (rows.length === 0) return 0;
    const accounts = [...new Set(rows.flatMap(({ account }) => account ?? []))];
    const raised = accounts.length === 0 ? new Map<string, Raised>() : await this.known.ofAccounts(accounts, tx);
    const raising = new Map(accounts.map((account) => [account, this.store.raise(account, raised.get(account)!)]));
    const now = this.clock.wallMs();
    const applied = await Promise.allSettled(
      rows.map((row) => (row.account === null ? this.store.end(row.session_hash!.toString('base64url'), row.expires_ms! - now) : raising.get(row.account)!)),
    );
    const done = rows.filter((_, index) => applied[index]!.status === 'fulfilled').map(({ id }) => id);
    const failed = applied.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (done.length === 0) throw failed!.reason;
    await tx.query(DELETE, [done]);
    if (failed !== undefined) this.logger.warn({ err: failed.reason, left: rows.length - done.length }, 'some endings of sessions stay pending');
    return failed === undefined ? rows.length : 0;
  }

  private async oldest(): Promise<number | undefined> {
    const [row] = await this.database.query<{ age_ms: number }>(OLDEST);
    return row?.age_ms;
  }

  private async compareAll(runId: string): Promise<void> {
    this.logger.info({ runId }, 'redis is another server than before: comparing its sessions with the database');
    const result = await reconcile(this.store, this.known, () => this.stopping || this.store.redis.untrustedRun !== runId);
    if (result === undefined) return;
    await this.store.redis.trust(runId);
    this.logger.info({ runId, ...result }, 'redis is compared');
  }
}
