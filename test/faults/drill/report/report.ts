import type { Verdict } from '../checks/index.js';
import type { Final } from '../final.js';
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
  readonly faults: readonly FaultFigures[];
  /** The longest of the times until an operation worked again; absent where nothing failed. */
  readonly rtoMs?: number;
  /** Acknowledged writes, and those of them that are missing at the end. */
  readonly rpo: { readonly acknowledged: number; readonly missing: number };
  /** Sign-ins because a session's origin could not be reached. */
  readonly sessionsRegenerated: number;
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
    operations: operationFigures(history), faults, ...(again.length === 0 ? {} : { rtoMs: Math.max(...again) }),
    rpo: { acknowledged: acknowledged.length, missing: verdicts.reduce((sum, { missing }) => sum + missing, 0) },
    sessionsRegenerated: history.operations.filter(({ problem }) => problem === 'session-origin-unavailable').length,
    equalMs: final.equalMs === undefined ? null : rounded(final.equalMs), leftOut,
  };
}
