import { CUT_IS_KNOWN_MS, HEARTBEAT_OLD_MS, IMMEDIATE_MS, LONGEST_CALL_MS } from '../bounds.js';
import { type AppliedFault, type Operation, ofKind } from '../history.js';
import { faultyParts, linkBetween } from '../timeline.js';
import { type Check, type Evidence, Findings, at } from './verdict.js';

/** A client's connection is lost only with the process at its other end; a kill is felt a moment before its request is answered. */
const NEAR_MS = 1_000;

/** I7. */
export const typedRefusals: Check = ({ history, timeline }) => {
  const findings = new Findings();
  for (const { kind, region, status, malformed, startMs, endMs } of history.operations) {
    const mayBeLost = timeline.of([`${region}/api`], startMs - NEAR_MS, endMs + NEAR_MS).length > 0;
    const breach = malformed ?? (status === undefined && !mayBeLost ? 'no answer, though the service was not touched' : undefined);
    findings.look(breach === undefined ? undefined : `${kind} in ${region} at ${at(startMs)}: ${breach}`);
  }
  return findings.verdict('typed-refusals', 'every refusal is a typed problem of the contract that says whether and when to try again');
};

/** Faults, 1: no call waits longer than its deadline, and none at all once the breaker is open. */
export const deadlines: Check = (evidence) => {
  const { history, timeline } = evidence;
  const findings = new Findings();
  for (const operation of history.operations) {
    const { kind, region, startMs, endMs, problem } = operation;
    const ms = endMs - startMs;
    if (timeline.of([`${region}/api`], startMs - NEAR_MS, endMs).length === 0) findings.look(ms > LONGEST_CALL_MS ? `${kind} in ${region} at ${at(startMs)} took ${at(ms)}` : undefined);
    if (problem !== 'home-unavailable' || cutSince(evidence, operation) === undefined) continue;
    const known = startMs - cutSince(evidence, operation)! > CUT_IS_KNOWN_MS;
    findings.look(known && ms > IMMEDIATE_MS ? `${kind} in ${region} at ${at(startMs)} was refused after ${at(ms)}, though the cut was long known` : undefined);
  }
  return findings.verdict('deadlines', 'no call waits longer than its deadline, and a refusal is immediate once a cut is known');
};

/** Contract, "Assurance": `full` where home answered for it, or both its heartbeats were younger than 1 s. */
export const assurance: Check = (evidence) => {
  const findings = new Findings();
  for (const operation of ofKind(evidence.history.operations, 'sign-in', 'try-old-password')) {
    const { region, home, startMs, user } = operation;
    const since = region === home || operation.assurance === undefined ? undefined : cutSince(evidence, operation);
    if (since === undefined || startMs - since <= HEARTBEAT_OLD_MS) continue;
    findings.look(operation.assurance === 'full' ? `${user} (home ${home}) signed in in ${region} at ${at(startMs)} with full assurance, though the two were cut since ${at(since)}` : undefined);
  }
  return findings.verdict('assurance', 'a sign-in that home can not have vouched for says `assurance: local`');
};

/** Since when nothing passed between the asked region and the home, either way; undefined where something did. */
function cutSince({ timeline }: Evidence, { region, home, startMs, endMs }: Operation): number | undefined {
  if (region === home) return undefined;
  const whole = timeline.of([linkBetween(region, home), `${home}/api`], startMs, endMs).filter((fault) => separates(fault, home) && fault.inForceMs <= startMs && fault.healMs >= endMs);
  return whole.length === 0 ? undefined : Math.min(...whole.map(({ inForceMs }) => inForceMs));
}

function separates(fault: AppliedFault, home: string): boolean {
  const { fault: what } = fault;
  if (what.fault === 'cut') return what.direction === 'both';
  return what.fault === 'kill' && what.part === 'all' && faultyParts(fault).includes(`${home}/api`);
}
