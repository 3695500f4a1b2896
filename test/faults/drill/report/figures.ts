import { type AppliedFault, type History, type Kind, type Operation, type Phase, phaseAt } from '../history.js';
import { Model } from '../model.js';
import { partsNeeded } from '../needs.js';
import { quantile } from '../quantile.js';
import { describeFault } from '../scenario.js';
import { Timeline, faultyParts } from '../timeline.js';

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

function worksAgain(history: History, fault: AppliedFault): Record<string, number | null> {
  const [faulty, writes, timeline] = [faultyParts(fault), new Model(history).credentialWrites(), new Timeline(history.faults)];
  const concerned = history.operations.filter((operation) => partsNeeded(operation, writes, timeline).some((part) => faulty.includes(part)));
  const failed = concerned.filter(({ outcome, problem, startMs }) => outcome !== 'ok' && !RIGHTLY.has(problem ?? '') && startMs >= fault.startMs && startMs <= fault.endMs);
  return Object.fromEntries([...new Set(failed.map(({ kind }) => kind))].map((kind) => {
    const again = concerned.filter((one) => one.kind === kind && one.outcome === 'ok' && one.endMs >= fault.endMs);
    return [kind, again.length === 0 ? null : rounded(Math.min(...again.map(({ endMs }) => endMs)) - fault.endMs)];
  }));
}

export function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
