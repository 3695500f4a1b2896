import { type UntouchedFigures, type Verdict, untouchedFigures } from '../checks/index.js';
import { TRANSFER_SETTLES_MS } from '../bounds.js';
import type { Final, FinalMoney } from '../final.js';
import { type History, type Operation, ofKind } from '../history.js';
import type { Scenario } from '../scenario.js';
import { type FaultFigures, type OperationFigures, faultFigures, operationFigures, rounded } from './figures.js';

/** A graded drill, as it is written for programs. */
export interface Report {
  readonly scenario: Scenario;
  /** What chose the schedule and the traffic: the same again with the same. */
  readonly seed: number;
  readonly seconds: number;
  readonly held: boolean;
  readonly invariants: readonly Verdict[];
  readonly operations: readonly OperationFigures[];
  /** The latency of what no fault touched, beside the control phase. */
  readonly untouched: readonly UntouchedFigures[];
  readonly faults: readonly FaultFigures[];
  /** The longest of the times until an operation worked again; absent where nothing failed. */
  readonly rtoMs?: number;
  /** Acknowledged writes, and those of them that are missing at the end. */
  readonly rpo: { readonly acknowledged: number; readonly missing: number };
  /** Sign-ins because a session's origin could not be reached. */
  readonly sessionsRegenerated: number;
  /** Orders that were answered 202, those of them that settled late, and how long after it could the latest did. */
  readonly transfers: { readonly queued: number; readonly late: number; readonly latestMs: number };
  /** From the end of the traffic until every region had the same rows. */
  readonly equalMs: number | null;
  /** Calls that were due and left out because too many were under way. */
  readonly leftOut: number;
}

const WRITES = ['register', 'edit-profile', 'change-password', 'sign-out', 'sign-out-all', 'transfer'] as const;

export function makeReport(drill: { scenario: Scenario; seed: number; history: History; final: Final; verdicts: readonly Verdict[]; leftOut: number }): Report {
  const { scenario, seed, history, final, verdicts, leftOut } = drill;
  const faults = faultFigures(history);
  const again = faults.flatMap(({ worksAgainMs }) => Object.values(worksAgainMs)).filter((ms) => ms !== null);
  const acknowledged: Operation[] = ofKind(history.operations, ...WRITES).filter(({ outcome }) => outcome === 'ok');
  return {
    scenario, seed, seconds: Math.round((history.toMs - history.fromMs) / 1_000), held: verdicts.every(({ broken }) => broken.length === 0), invariants: verdicts,
    operations: operationFigures(history), untouched: untouchedFigures(history), faults, ...(again.length === 0 ? {} : { rtoMs: Math.max(...again) }),
    rpo: { acknowledged: acknowledged.length, missing: verdicts.reduce((sum, { missing }) => sum + missing, 0) },
    sessionsRegenerated: history.operations.filter(({ problem }) => problem === 'session-origin-unavailable').length,
    transfers: lateTransfers(history, final.money),
    equalMs: final.equalMs === undefined ? null : rounded(final.equalMs), leftOut,
  };
}

/**
 * An order that had to wait settles soon after the last fault before its settling; what takes longer is late. One that settled while a fault
 * was in force did so because it was given at home too. Wrong clocks make this wrong too.
 */
function lateTransfers({ operations, faults, beganAt }: History, money: FinalMoney): { queued: number; late: number; latestMs: number } {
  const queued = ofKind(operations, 'transfer').filter(({ outcome, transferStatus }) => outcome === 'ok' && transferStatus === 'queued');
  const settledAt = new Map(money.transfers.flatMap(({ order, settledAt }) => (settledAt === undefined ? [] : [[order, Date.parse(settledAt) - Date.parse(beganAt)] as const])));
  const lateMs = queued.flatMap(({ key, endMs }) => {
    const settledMs = settledAt.get(key);
    if (settledMs === undefined) return [];
    if (faults.some((fault) => fault.startMs <= settledMs && fault.endMs > settledMs)) return [0];
    const possibleMs = Math.max(endMs, ...faults.filter((fault) => fault.endMs <= settledMs).map((fault) => fault.endMs));
    return [Math.max(0, settledMs - possibleMs)];
  });
  return { queued: queued.length, late: lateMs.filter((ms) => ms > TRANSFER_SETTLES_MS).length, latestMs: rounded(Math.max(0, ...lateMs)) };
}
