import { LATENCY_LEAST_CALLS, LATENCY_RATIO, LATENCY_SLACK_MS, RECOVERED_MS } from '../bounds.js';
import { type Operation, phaseAt } from '../history.js';
import { partsNeeded } from '../needs.js';
import { quantile } from '../quantile.js';
import { type Check, type Evidence, Findings, at } from './verdict.js';

/** Of a user's own making, and no sign of trouble. */
const USUAL = new Set(['insufficient-funds']);

/** Operations that needed nothing that was at fault, or had just been; what is expected to be refused is not among them. */
export function untouched({ history, model, timeline }: Evidence): Operation[] {
  const writes = model.credentialWrites();
  const written = new Map<string, Set<string>>();
  const sorted = history.operations.toSorted((a, b) => a.startMs - b.startMs);
  return sorted.filter((operation) => {
    if (operation.kind === 'try-old-password' || operation.kind === 'try-ended-session') return false;
    const device = 'device' in operation ? operation.device : undefined;
    const needed = partsNeeded(operation, writes, timeline, [...(written.get(device ?? '') ?? [])]);
    const isWrite = operation.kind === 'edit-profile' || operation.kind === 'sign-out' || operation.kind === 'sign-out-all';
    if (device !== undefined && isWrite && operation.outcome === 'ok') written.set(device, (written.get(device) ?? new Set()).add(operation.region));
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

/** I6, latency: told always, judged where the scenario asks for it. */
export const untouchedLatency: Check = (evidence) => {
  const findings = new Findings();
  const answered = untouched(evidence).filter(({ outcome }) => outcome === 'ok');
  // Money of another region's users is asked for there first, which takes longer while the cut is not known.
  const comparable = answered.filter(({ kind, region, home }) => region === home || (kind !== 'transfer' && kind !== 'read-wallet'));
  const byKind = Map.groupBy(comparable, ({ kind }) => kind);
  for (const [kind, operations] of byKind) {
    const of = (phase: string): number[] => operations.filter(({ startMs }) => phaseAt(evidence.history, startMs) === phase).map(({ startMs, endMs }) => endMs - startMs);
    const [control, faults] = [of('control'), of('faults')];
    if (!evidence.promises.untouchedLatency || Math.min(control.length, faults.length) < LATENCY_LEAST_CALLS) continue;
    const [before, during] = [quantile(control, 0.99), quantile(faults, 0.99)];
    const allowed = Math.max(before * LATENCY_RATIO, before + LATENCY_SLACK_MS);
    findings.look(during > allowed ? `p99 of ${kind} was ${during.toFixed(0)} ms during the faults, ${before.toFixed(0)} ms in the control phase` : undefined);
  }
  return findings.verdict('untouched-latency', 'p99 of what does not depend on a faulty part stays within 1.5 times or 20 ms of the control phase');
};
