import type { AppliedFault, Kind, Operation } from './history.js';
import { Model } from './model.js';
import { partsNeeded } from './needs.js';
import { Timeline, faultyParts } from './timeline.js';

/** Refusals that are no sign of trouble: what is wrong, has ended or is not affordable. */
const RIGHTLY = new Set(['invalid-credentials', 'session-invalid', 'insufficient-funds']);

/** What became of the operations that need what was at fault. */
export interface Recovery {
  /** Those that failed while it was. */
  readonly failed: readonly Operation[];
  /** From its end until each kind of these worked again; null where it has not. */
  readonly worksAgainMs: Readonly<Partial<Record<Kind, number | null>>>;
}

/** @param faults all of the drill so far; whether something is known in another region depends on them */
export function recoveryFrom(fault: AppliedFault, operations: readonly Operation[], faults: readonly AppliedFault[]): Recovery {
  const [faulty, writes, timeline] = [faultyParts(fault), new Model({ operations }).credentialWrites(), new Timeline(faults)];
  const concerned = operations.filter((operation) => !operation.kind.startsWith('try-') && partsNeeded(operation, writes, timeline).some((part) => faulty.includes(part)));
  const failed = concerned.filter(({ outcome, problem, startMs }) => outcome !== 'ok' && !RIGHTLY.has(problem ?? '') && startMs >= fault.startMs && startMs <= fault.endMs);
  const worksAgainMs = Object.fromEntries([...new Set(failed.map(({ kind }) => kind))].map((kind) => {
    const again = concerned.filter((one) => one.kind === kind && one.outcome === 'ok' && one.endMs >= fault.endMs);
    return [kind, again.length === 0 ? null : Math.round(Math.min(...again.map(({ endMs }) => endMs)) - fault.endMs)];
  }));
  return { failed, worksAgainMs };
}
