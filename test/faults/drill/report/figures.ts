import { type History, type Kind, type Operation, type Phase, phaseAt } from '../history.js';
import { quantile } from '../quantile.js';
import { type Recovery, recoveryFrom } from '../recovery.js';
import { describeFault } from '../scenario.js';

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
  /** From its end until each operation that had failed meanwhile, for want of what was at fault, worked again; null where it was not asked again. */
  readonly worksAgainMs: Recovery['worksAgainMs'];
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
    fault: describeFault(fault.fault), startMs: rounded(fault.startMs), endMs: rounded(fault.endMs), worksAgainMs: recoveryFrom(fault, history.operations, history.faults).worksAgainMs,
    ...(fault.caughtUpMs === undefined ? {} : { caughtUpMs: rounded(fault.caughtUpMs) }),
  }));
}

export function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
