import type { Logger } from 'pino';
import type { Clock } from '#kernel/clock';
import { readApplyError, type ApplyError } from './apply-error.js';
import { PREFIX, subscriptionFrom } from './names.js';
import type { OwnDatabase } from './own-database.js';
import { pause, timings } from './timings.js';

/** A subscription's worker at one look. */
export interface WorkerSeen {
  readonly subscription: string;
  readonly oid: string;
  readonly enabled: boolean;
  /** False in a placeholder, which has no worker by design. */
  readonly hasSlot: boolean;
  readonly pid: number | null;
  readonly waitType: string | null;
  readonly waitEvent: string | null;
  readonly workerAgeMs: number | null;
  /** Null before the first message of this worker: PostgreSQL counts its start as one, which is no sign of the peer. */
  readonly messageAgeMs: number | null;
  readonly blockedBy: readonly number[];
  readonly stats: Readonly<Record<string, unknown>>;
  readonly note: string | null;
}

/** A slot of the own server, which a peer reads. */
export interface SlotSeen {
  readonly name: string;
  readonly active: boolean;
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  readonly walStatus: string;
  readonly retainedBytes: number;
  /** `max_slot_wal_keep_size`; -1: none, and WAL can fill the disk. */
  readonly limitBytes: number;
  /** More than half of the limit is kept for it, or it is lost already. */
  readonly alarm: boolean;
}

/** What the watch knows of one subscription over time. */
export interface WorkerHistory {
  readonly worker: WorkerSeen;
  readonly error?: ApplyError;
  /** When the error counter rose last (monotonic ms). */
  readonly errorAtMono?: number;
  /** The workers seen last, the newest first: an error of the connection bears no other mark in the log. */
  readonly pids: readonly number[];
  /** How often it has risen without a quiet time in between. */
  readonly errorsInRow: number;
  /** When the last message of any worker of this subscription came (monotonic ms). */
  readonly messageAtMono?: number;
  readonly conflicts: Readonly<Record<string, number>>;
  readonly applyErrors: number;
}

/** A worker that fails lives for half a second, and is seen at every other look. */
const KEPT_PIDS = 4;
const workersSql = `
  SELECT s.subname AS subscription, s.oid::text AS oid, s.subenabled AS enabled, s.subslotname IS NOT NULL AS "hasSlot", st.pid,
    a.wait_event_type AS "waitType", a.wait_event AS "waitEvent",
    (extract(epoch FROM clock_timestamp() - a.backend_start) * 1000)::float8 AS "workerAgeMs",
    CASE WHEN st.received_lsn IS NOT NULL THEN (extract(epoch FROM clock_timestamp() - st.last_msg_receipt_time) * 1000)::float8 END AS "messageAgeMs",
    CASE WHEN a.wait_event_type = 'Lock' THEN to_jsonb(pg_blocking_pids(st.pid)) ELSE '[]' END AS "blockedBy",
    coalesce(to_jsonb(x), '{}') AS stats, obj_description(s.oid, 'pg_subscription') AS note
  FROM pg_subscription s
  LEFT JOIN pg_stat_subscription st ON st.subid = s.oid AND st.relid IS NULL AND st.leader_pid IS NULL
  LEFT JOIN pg_stat_activity a ON a.pid = st.pid
  LEFT JOIN pg_stat_subscription_stats x ON x.subid = s.oid
  WHERE starts_with(s.subname, $1) AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;
const slotsSql = `
  SELECT slot_name AS name, active, coalesce(wal_status, 'lost') AS "walStatus", greatest(coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0), 0)::float8 AS "retainedBytes",
    pg_size_bytes(current_setting('max_slot_wal_keep_size'))::float8 AS "limitBytes"
  FROM pg_replication_slots WHERE starts_with(slot_name, $1) AND database = current_database()`;

/**
 * Looks at the apply workers and the slots of the own server. Ends a worker that PostgreSQL would leave connecting for ever
 * (recovery, "PostgreSQL"); wal_receiver_timeout looks after those that have been streaming. Says why an apply stops.
 */
export class ReplicationWatch {
  readonly id = 'replication-watch';
  readonly workersEnded = new Map<string, number>();
  slots: readonly SlotSeen[] = [];
  /** When the last look succeeded (monotonic ms): older than a few seconds, nothing here is known. */
  lookedAtMono = Number.NEGATIVE_INFINITY;
  private readonly histories = new Map<string, WorkerHistory>();
  /** When a peer answered last over another way, and when it did so again after a silence (monotonic ms). */
  private readonly heardAtMono = new Map<string, number>();
  private readonly backAtMono = new Map<string, number>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly options: {
      /** This region with its incarnation, as its slots name it. */
      reader: string;
      /** The slots of the own server that peers read. */
      slots: () => readonly string[];
      peers: readonly string[];
      database: OwnDatabase;
      clock: Clock;
      logger: Logger;
      /** How much longer than usual connecting may take to this peer; undefined: another process looks after it. */
      patience(peer: string): number | undefined;
    },
  ) {}

  run(): void {
    this.running ??= this.loop();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  history(peer: string): WorkerHistory | undefined {
    return this.histories.get(subscriptionFrom(peer));
  }

  /** The peer has answered over HTTP. After a silence this tells that the link is back, before any timeout of PostgreSQL's does. */
  heard(peer: string): void {
    const nowMono = this.options.clock.monoMs();
    const before = this.heardAtMono.get(peer);
    this.heardAtMono.set(peer, nowMono);
    if (before !== undefined && nowMono - before > timings.cutMs) this.backAtMono.set(peer, nowMono);
  }

  /** Subscriptions and slots that bear our prefix and belong to no configured peer: reported, never dropped. */
  leftovers(): string[] {
    const { peers, slots } = this.options;
    const known = new Set([...peers.map(subscriptionFrom), ...slots()]);
    const found = [...[...this.histories.keys()].map((name) => `subscription ${name}`), ...this.slots.map(({ name }) => `slot ${name}`)];
    return found.filter((text) => !known.has(text.slice(text.indexOf(' ') + 1)));
  }

  private async loop(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.look();
      } catch (error) {
        this.options.logger.debug({ err: error }, 'replication could not be looked at');
      }
      await pause(this.backAtMono.size > 0 ? timings.backMs : timings.watchEveryMs, this.stopping.signal);
    }
  }

  private async look(): Promise<void> {
    const { database, clock } = this.options;
    const [workers, slots] = [await database.query<WorkerSeen>(workersSql, [PREFIX]), await database.query<Omit<SlotSeen, 'alarm'>>(slotsSql, [PREFIX])];
    this.slots = slots.map((slot) => ({ ...slot, alarm: slot.walStatus === 'lost' || (slot.limitBytes > 0 && slot.retainedBytes > slot.limitBytes / 2) }));
    const names = new Set(workers.map(({ subscription }) => subscription));
    for (const name of this.histories.keys()) if (!names.has(name)) this.histories.delete(name);
    for (const worker of workers) this.histories.set(worker.subscription, this.remember(worker));
    this.lookedAtMono = clock.monoMs();
    for (const peer of this.options.peers) await this.attend(peer);
  }

  private remember(worker: WorkerSeen): WorkerHistory {
    const before = this.histories.get(worker.subscription);
    const same = before?.worker.oid === worker.oid ? before : undefined;
    const applyErrors = Number(worker.stats.apply_error_count ?? 0);
    const conflicts: Record<string, number> = {};
    for (const [name, count] of Object.entries(worker.stats)) if (name.startsWith('confl_')) conflicts[name.slice('confl_'.length)] = Number(count);
    const nowMono = this.options.clock.monoMs();
    const quiet = nowMono - (same?.errorAtMono ?? -Infinity) > timings.errorFreshMs;
    const rose = same === undefined ? 0 : Math.max(0, applyErrors - same.applyErrors);
    const errorsInRow = (quiet ? 0 : (same?.errorsInRow ?? 0)) + rose;
    const messageAtMono = worker.messageAgeMs === null ? before?.messageAtMono : nowMono - worker.messageAgeMs;
    const pids = [...new Set([...(worker.pid === null ? [] : [worker.pid]), ...(same?.pids ?? [])])].slice(0, KEPT_PIDS);
    return { worker, pids, applyErrors, conflicts, error: same?.error, errorAtMono: rose > 0 ? nowMono : same?.errorAtMono, errorsInRow, messageAtMono };
  }

  private async attend(peer: string): Promise<void> {
    const history = this.history(peer);
    if (history === undefined) return;
    await this.endStuckWorker(peer, history.worker);
    const silent = history.worker.hasSlot && (history.worker.pid === null || (history.worker.messageAgeMs ?? Infinity) > timings.silenceMs);
    const failing = history.errorAtMono !== undefined && this.options.clock.monoMs() - history.errorAtMono < timings.errorFreshMs;
    if (!failing && !silent) return;
    const { database, reader } = this.options;
    const error = await readApplyError(database, { peer, reader, subscriptionOid: history.worker.oid, pids: history.pids }).catch(() => undefined);
    if (error !== undefined && error.detail !== history.error?.detail) this.options.logger.warn({ peer, ...error }, 'the apply worker failed');
    this.histories.set(subscriptionFrom(peer), { ...history, error });
  }

  private async endStuckWorker(peer: string, worker: WorkerSeen): Promise<void> {
    const patience = this.options.patience(peer);
    if (patience === undefined || worker.pid === null || !(this.missedTheReturn(peer, worker, patience) || isStuck(worker, patience))) return;
    await this.options.database.query('SELECT pg_terminate_backend($1)', [worker.pid]);
    this.workersEnded.set(peer, (this.workersEnded.get(peer) ?? 0) + 1);
    this.options.logger.info({ peer, pid: worker.pid, waitEvent: worker.waitEvent, workerAgeMs: worker.workerAgeMs }, 'a stuck apply worker was ended');
  }

  /**
   * Once after each return: a worker that began before it and has heard nothing since sits on a connection that the cut
   * killed, and would find out seconds later. With a link that flaps, too late (test/faults/links.spec.ts).
   */
  private missedTheReturn(peer: string, worker: WorkerSeen, patience: number): boolean {
    const backAtMono = this.backAtMono.get(peer);
    const sinceMs = this.options.clock.monoMs() - (backAtMono ?? Infinity);
    if (backAtMono === undefined || sinceMs < timings.backMs * patience) return false;
    this.backAtMono.delete(peer);
    return (worker.workerAgeMs ?? 0) > sinceMs && (worker.messageAgeMs ?? Infinity) > sinceMs;
  }
}

/**
 * A worker connects once, at its beginning, so its age is how long it has been at it. In a stream it never waits in these
 * two events. @param patience factor for a link that is known to be slow, 1 or more
 */
function isStuck(worker: Pick<WorkerSeen, 'waitEvent' | 'workerAgeMs'>, patience: number): boolean {
  const age = worker.workerAgeMs ?? 0;
  if (worker.waitEvent === 'LibpqwalreceiverConnect') return age > timings.workerConnectMs * patience;
  return worker.waitEvent === 'LibpqwalreceiverReceive' && age > timings.workerReceiveMs * patience;
}
