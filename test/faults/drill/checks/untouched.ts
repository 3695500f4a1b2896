import { LATENCY_LEAST_CALLS, LATENCY_RATIO, LATENCY_SLACK_MS, RECOVERED_MS, WARM_MS } from '../bounds.js';
import { type History, type Kind, type Operation, type Phase, phaseAt } from '../history.js';
import { Model } from '../model.js';
import { isCarried, partsNeeded } from '../needs.js';
import { quantile } from '../quantile.js';
import { Timeline } from '../timeline.js';
import { type Check, type Evidence, Findings, at } from './verdict.js';

/** Of a user's own making, and no sign of trouble. */
const USUAL = new Set(['insufficient-funds']);

/** Operations that needed nothing that was at fault, or had just been; what is expected to be refused is not among them. */
function untouched({ history, model, timeline }: Pick<Evidence, 'history' | 'model' | 'timeline'>): Operation[] {
  const writes = model.credentialWrites();
  const written = new Map<string, Operation[]>();
  const sorted = history.operations.toSorted((a, b) => a.startMs - b.startMs);
  return sorted.filter((operation) => {
    if (operation.kind === 'try-old-password' || operation.kind === 'try-ended-session') return false;
    const own = 'device' in operation ? (written.get(operation.device) ?? []) : [];
    const elsewhere = own.filter(({ region, startMs, endMs }) => region !== operation.region && !isCarried({ startMs, endMs }, [region, operation.region], operation.startMs, timeline));
    const needed = partsNeeded(operation, writes, timeline, elsewhere.map(({ region }) => region));
    const isWrite = operation.kind === 'edit-profile' || operation.kind === 'sign-out' || operation.kind === 'sign-out-all';
    if (isWrite && operation.outcome === 'ok') written.set(operation.device, [...own, operation]);
    return timeline.of(needed, operation.startMs - RECOVERED_MS, operation.endMs).length === 0;
  });
}

/** I6, success. */
export const untouchedSucceed: Check = (evidence) => {
  const findings = new Findings();
  const operations = untouched(evidence);
  // A machine that is too small for the traffic itself says so before any fault.
  const overloaded = operations.some(({ problem, startMs }) => problem === 'overloaded' && phaseAt(evidence.history, startMs) === 'control');
  for (const operation of operations) {
    const { kind, region, home, outcome, problem, status, startMs } = operation;
    const usual = outcome === 'ok' || USUAL.has(problem ?? '') || (overloaded && problem === 'overloaded') || mayBeOver(evidence, operation);
    findings.look(usual ? undefined : `${kind} in ${region} (home ${home}) at ${at(startMs)} was ${outcome}: ${problem ?? status ?? 'no answer'}`);
  }
  return findings.verdict('untouched-succeed', 'what does not depend on a faulty part succeeds, all of it');
};

/** A session ends, and a password changes, by what the same user does elsewhere; both are judged by checks of their own. */
function mayBeOver({ history }: Evidence, operation: Operation): boolean {
  if (operation.problem !== 'session-invalid' && operation.problem !== 'invalid-credentials') return false;
  const { user, endMs } = operation;
  const ends = history.operations.some((other) => other.user === user && other.startMs < endMs && (other.kind === 'change-password' || other.kind === 'sign-out-all' || other.kind === 'sign-out') && other !== operation);
  const memoryLost = history.faults.some(({ fault, startMs }) => fault.fault === 'kill' && (fault.part === 'redis' || fault.part === 'all') && startMs < endMs);
  return ends || (memoryLost && operation.problem === 'session-invalid');
}

/** How long one kind of operation took where nothing that it needs was at fault. */
export interface UntouchedFigures {
  readonly kind: Kind;
  readonly control: { readonly calls: number; readonly p99Ms: number };
  readonly faults: { readonly calls: number; readonly p99Ms: number };
  /** Whether there were enough calls of it to be judged by. */
  readonly enough: boolean;
}

/** The latency of what was answered well and untouched, of each kind that was asked in both phases. */
export function untouchedFigures(history: History): UntouchedFigures[] {
  const answered = untouched({ history, model: new Model(history), timeline: new Timeline(history.faults) }).filter(({ outcome }) => outcome === 'ok');
  // Money of another region's users is asked for there first, which takes longer while the cut is not known.
  const comparable = answered.filter(({ kind, region, home }) => region === home || (kind !== 'transfer' && kind !== 'read-wallet'));
  return [...Map.groupBy(comparable, ({ kind }) => kind)].flatMap(([kind, operations]) => {
    const warm = operations.filter(({ startMs }) => startMs - history.fromMs >= WARM_MS);
    const of = (phase: Phase): number[] => warm.filter(({ startMs }) => phaseAt(history, startMs) === phase).map(({ startMs, endMs }) => endMs - startMs);
    const [control, faults] = [of('control'), of('faults')];
    if (control.length === 0 || faults.length === 0) return [];
    const figures = (ms: number[]) => ({ calls: ms.length, p99Ms: quantile(ms, 0.99) });
    return [{ kind, control: figures(control), faults: figures(faults), enough: Math.min(control.length, faults.length) >= LATENCY_LEAST_CALLS }];
  });
}

/** I6, latency: told always, judged where the scenario asks for it. */
export const untouchedLatency: Check = (evidence) => {
  const findings = new Findings();
  for (const { kind, control: { p99Ms: before }, faults: { p99Ms: during }, enough } of untouchedFigures(evidence.history)) {
    if (!evidence.promises.untouchedLatency || !enough) continue;
    const allowed = Math.max(before * LATENCY_RATIO, before + LATENCY_SLACK_MS);
    findings.look(during > allowed ? `p99 of ${kind} was ${during.toFixed(0)} ms during the faults, ${before.toFixed(0)} ms in the control phase` : undefined);
  }
  return findings.verdict('untouched-latency', 'p99 of what does not depend on a faulty part stays within 1.5 times or 20 ms of the control phase');
};
