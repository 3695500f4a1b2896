import { type AppliedFault, type History, type Kind, type Operation, type Phase, phaseAt } from '../history.js';
import { quantile } from '../quantile.js';
import { describeFault } from '../scenario.js';
import { faultyParts } from '../timeline.js';

export const PHASES: readonly Phase[] = ['control', 'faults', 'healed'];

/** How one operation fared in one phase. */
export interface OperationFigures {
  readonly kind: Kind;
  readonly phase: Phase;
  readonly calls: number;
  readonly ok: number;
  readonly successRate: number;
  /** How often each problem was the answer; `no answer` among them. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Calls that may have been done or not. */
  readonly unknown: number;
  /** Of the calls that ended well, where there were any. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

/** What a fault cost. */
export interface FaultFigures {
  readonly fault: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Until an operation worked again that had failed meanwhile, by operation and asked region, since the end of the fault. */
  readonly worksAgainMs: Readonly<Record<string, number | null>>;
  readonly caughtUpMs?: number;
}

export function operationFigures(history: History): OperationFigures[] {
  const groups = Map.groupBy(history.operations, (operation) => `${operation.kind} ${phaseAt(history, operation.startMs)}`);
  const kinds = [...new Set(history.operations.map(({ kind }) => kind))];
  return kinds.flatMap((kind) => PHASES.flatMap((phase) => {
    const operations = groups.get(`${kind} ${phase}`);
    return operations === undefined ? [] : [figuresOf(kind, phase, operations)];
  }));
}

function figuresOf(kind: Kind, phase: Phase, operations: readonly Operation[]): OperationFigures {
  const ok = operations.filter(({ outcome }) => outcome === 'ok');
  const refusals: Record<string, number> = {};
  for (const { outcome, problem, status } of operations) {
    if (outcome === 'ok') continue;
    const name = problem ?? (status === undefined ? 'no answer' : String(status));
    refusals[name] = (refusals[name] ?? 0) + 1;
  }
  const ms = ok.map(({ startMs, endMs }) => endMs - startMs);
  const latency = ms.length === 0 ? {} : { p50Ms: rounded(quantile(ms, 0.5)), p99Ms: rounded(quantile(ms, 0.99)) };
  return {
    kind, phase, calls: operations.length, ok: ok.length, successRate: ok.length / operations.length, refusals,
    unknown: operations.filter(({ outcome }) => outcome === 'unknown').length, ...latency,
  };
}

/** Time to recovery after each fault. */
export function faultFigures(history: History): FaultFigures[] {
  return history.faults.toSorted((a, b) => a.startMs - b.startMs).map((fault) => ({
    fault: describeFault(fault.fault), startMs: rounded(fault.startMs), endMs: rounded(fault.endMs), worksAgainMs: worksAgain(history, fault),
    ...(fault.caughtUpMs === undefined ? {} : { caughtUpMs: rounded(fault.caughtUpMs) }),
  }));
}

/** Refusals that are no sign of trouble: what is wrong, has ended or is not affordable. */
const RIGHTLY = new Set(['invalid-credentials', 'session-invalid', 'insufficient-funds']);

function worksAgain({ operations }: History, fault: AppliedFault): Record<string, number | null> {
  if (faultyParts(fault).length === 0) return {};
  const works: Record<string, number | null> = {};
  const failed = operations.filter(({ outcome, problem, startMs }) => outcome !== 'ok' && !RIGHTLY.has(problem ?? '') && startMs >= fault.startMs && startMs <= fault.endMs);
  for (const { kind, region, home } of failed) {
    const name = `${kind} in ${region}, home ${home}`;
    if (name in works) continue;
    const again = operations.filter((one) => one.kind === kind && one.region === region && one.home === home && one.outcome === 'ok' && one.endMs >= fault.endMs);
    works[name] = again.length === 0 ? null : rounded(Math.min(...again.map(({ endMs }) => endMs)) - fault.endMs);
  }
  return works;
}

export function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
