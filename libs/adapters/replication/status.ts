import type { Step } from './decide.js';
import { parseNote } from './inspect.js';
import type { SlotSeen, WorkerHistory } from './watch.js';
import { timings } from './timings.js';

/**
 * - `streaming`: rows of the peer arrive.
 * - `connecting`: nothing arrives, nothing is known to be wrong here; goes on by itself.
 * - `copying`: first set-up or rebuild under way; the rows here are still served.
 * - `paused`: something is missing on one side (`schema-differs`, `peer-not-ready`); goes on by itself once it is there, but for `peer-replaced`.
 * - `lost`: the peer no longer has what was not fetched; a rebuild follows by itself.
 * - `stopped`: apply fails at a row, or waits for a lock; `mend` says what ends it.
 */
export type ReplicationState = 'streaming' | 'connecting' | 'copying' | 'paused' | 'lost' | 'stopped';

/** One peer's replication as `/ops/status` and the metrics show it. No row's content is in it. */
export interface PeerReplicationStatus {
  readonly peer: string;
  readonly state: ReplicationState;
  /** True where a person should look: every state but `streaming` and `copying` that lasts, and a slot past half of its limit. */
  readonly alarm: boolean;
  readonly cause?: string;
  readonly detail?: string;
  readonly mend?: string;
  /** This process compares and mends; in the region's other processes the set-up's own findings are absent. */
  readonly mending: boolean;
  /** Since the last message of the peer's server, its keep-alives included; absent before the first. */
  readonly lastMessageAgeMs?: number;
  readonly applyErrors: number;
  /** Counters of PostgreSQL 18 since the last rebuild: `update_missing` and `delete_missing` mean that rows here were changed by hand. */
  readonly conflicts: Readonly<Record<string, number>>;
  /** Copies after the first, for the life of the database. */
  readonly rebuilds: number;
  readonly lastRebuild?: { readonly reason: string; readonly at?: string };
  /** Stuck apply workers that this process ended. */
  readonly workersEnded: number;
  /** Wrong settings of the subscription that this process put right, by kind. */
  readonly mended: Readonly<Record<string, number>>;
  /** Our slot that the peer reads; absent until the peer has made it. */
  readonly slot?: SlotSeen;
}

/** What the set-up loop of one peer knows. */
export interface SetupFacts {
  readonly mending: boolean;
  readonly copying: boolean;
  readonly step: Step;
  readonly unreachable?: string;
  readonly failure?: string;
  readonly mended: Readonly<Record<string, number>>;
}

interface Finding {
  readonly state: ReplicationState;
  readonly cause?: string;
  readonly detail?: string;
  readonly mend?: string;
}

/** What the watch knows that concerns one peer, and when it looked last (monotonic ms). */
export interface WatchFacts {
  readonly history: WorkerHistory | undefined;
  readonly slot: SlotSeen | undefined;
  readonly workersEnded: number;
  readonly lookedAtMono: number;
}

/** Puts the loop's and the watch's knowledge together. Pure. @param nowMono monotonic ms */
export function peerStatus(peer: string, setup: SetupFacts, watch: WatchFacts, nowMono: number): PeerReplicationStatus {
  const { history, slot, workersEnded } = watch;
  const blind = nowMono - watch.lookedAtMono > timings.silenceMs;
  const found: Finding = blind && !setup.copying ? { state: 'connecting', cause: 'own-database-unreachable', detail: 'the own database has not answered lately' } : find(setup, history, nowMono);
  const note = parseNote(history?.worker.note);
  const messageAt = history?.messageAtMono;
  return {
    peer,
    ...found,
    alarm: slot?.alarm === true || found.cause !== undefined || (found.state !== 'streaming' && found.state !== 'copying'),
    mending: setup.mending,
    lastMessageAgeMs: messageAt === undefined ? undefined : Math.max(0, Math.round(nowMono - messageAt)),
    applyErrors: history?.applyErrors ?? 0,
    conflicts: history?.conflicts ?? {},
    rebuilds: note?.rebuilds ?? 0,
    lastRebuild: note === undefined ? undefined : { reason: note.reason, at: note.at },
    workersEnded,
    mended: setup.mended,
    slot,
  };
}

function find(setup: SetupFacts, history: WorkerHistory | undefined, nowMono: number): Finding {
  if (setup.copying) return { state: 'copying' };
  const waiting = setup.step.kind === 'wait' ? setup.step : undefined;
  const unreachable = setup.unreachable === undefined ? undefined : { cause: 'peer-unreachable', detail: setup.unreachable };
  const worker = history?.worker;
  if (worker === undefined || !worker.hasSlot) {
    if (waiting !== undefined) return { state: 'paused', cause: waiting.cause, detail: waiting.detail, mend: waiting.mend };
    if (setup.failure !== undefined) return { state: 'connecting', cause: 'set-up-failed', detail: setup.failure };
    return { state: 'connecting', ...unreachable };
  }
  if (waiting?.cause === 'peer-replaced') return { state: 'paused', cause: waiting.cause, detail: waiting.detail, mend: waiting.mend };
  if (setup.step.kind === 'rebuild') return { state: 'lost', cause: setup.step.reason, detail: setup.failure ?? 'a copy follows' };
  const stopped = findStopped(history!, nowMono);
  if (stopped !== undefined) return stopped.cause === 'schema-differs' && waiting !== undefined ? { ...stopped, detail: `${waiting.detail}; ${stopped.detail}` } : stopped;
  const about = waiting === undefined ? undefined : { cause: waiting.cause, detail: waiting.detail, mend: waiting.mend };
  if (isStreaming(history!)) return { state: 'streaming', ...about };
  const failing = history!.error?.cause === 'connection' ? { cause: 'connection', detail: history!.error.detail } : undefined;
  return { state: 'connecting', ...failing, ...unreachable, ...about };
}

/** An apply that fails anew every second, or waits for somebody's lock. */
function findStopped({ worker, error, errorAtMono, errorsInRow }: WorkerHistory, nowMono: number): Finding | undefined {
  if (worker.blockedBy.length > 0 && (worker.messageAgeMs ?? 0) > timings.silenceMs) {
    const pids = worker.blockedBy.join(', ');
    return { state: 'stopped', cause: 'apply-blocked', detail: `the apply worker waits for a lock that process ${pids} of the own database holds`, mend: worker.blockedBy.map((pid) => `SELECT pg_terminate_backend(${pid});`).join(' ') };
  }
  const fresh = errorAtMono !== undefined && nowMono - errorAtMono < timings.errorFreshMs;
  if (!fresh || recovered(worker)) return undefined;
  if (error?.cause === 'connection') return undefined;
  if (error === undefined) {
    const detail = `the apply worker has failed ${errorsInRow} times in a row; the server's log says why`;
    return errorsInRow < REPEATED ? undefined : { state: 'stopped', cause: 'apply-error', detail };
  }
  return { state: error.cause === 'schema-differs' ? 'paused' : 'stopped', cause: error.cause, detail: error.detail, mend: error.mend };
}

/** A cut makes a worker fail once or twice; a row makes it fail every time. */
const REPEATED = 3;
/** A failing worker fails at the first message, well within this. */
const RECOVERED_AFTER_MS = 1_500;
const recovered = (worker: WorkerHistory['worker']): boolean => worker.pid !== null && worker.messageAgeMs !== null && (worker.workerAgeMs ?? 0) > RECOVERED_AFTER_MS;

const isStreaming = ({ worker }: WorkerHistory): boolean => worker.enabled && worker.pid !== null && (worker.messageAgeMs ?? Infinity) < timings.silenceMs;
