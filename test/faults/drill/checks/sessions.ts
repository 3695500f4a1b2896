import { PASSWORD_ENDS_MS, SESSION_ENDS_MS } from '../bounds.js';
import { type Operation, ofKind } from '../history.js';
import type { Ending } from '../model.js';
import { faultyParts, everythingOf } from '../timeline.js';
import { type Check, type Evidence, Findings, at } from './verdict.js';

type WithSession = Operation<'check' | 'try-ended-session' | 'read-profile' | 'edit-profile' | 'change-password' | 'read-wallet' | 'transfer'>;

function withSession({ history }: Evidence): WithSession[] {
  return ofKind(history.operations, 'check', 'try-ended-session', 'read-profile', 'edit-profile', 'change-password', 'read-wallet', 'transfer');
}

/** Contract, `DELETE /v1/sessions`: dead here at once, elsewhere within 5 s where it can be reached, else after healing. */
export const endedSessions: Check = (evidence) => {
  const { model, final } = evidence;
  const findings = new Findings();
  const uses = new Map<string, WithSession[]>();
  for (const use of withSession(evidence)) uses.set(use.session, [...(uses.get(use.session) ?? []), use]);
  for (const ending of model.endings()) {
    for (const use of uses.get(ending.session) ?? []) if (use.startMs > ending.endMs) findings.look(stillTaken(evidence, ending, use));
    const tried = final.sessions.filter(({ session }) => session === ending.session);
    const taken = tried.filter(({ answer }) => answer !== 'session-invalid');
    if (tried.length > 0) findings.lookForWrite(taken.length === 0 ? undefined : `the ${ending.by} at ${at(ending.endMs)} of ${ending.session} is undone: ${taken.map(({ region, answer }) => `${region} answers ${answer}`).join(', ')}`);
  }
  return findings.verdict('ended-sessions', 'an ended session works nowhere once its bound has passed');
};

function stillTaken({ timeline }: Evidence, ending: Ending, use: WithSession): string | undefined {
  if (use.outcome !== 'ok') return undefined;
  const atOnce = ending.by === 'sign-out' && use.region === ending.region;
  const bound = ending.by === 'sign-out' || ending.by === 'sign-out-all' ? SESSION_ENDS_MS : PASSWORD_ENDS_MS + SESSION_ENDS_MS;
  const regions = [...new Set([use.region, ending.region, ending.origin, ending.home])];
  const late = use.startMs - ending.endMs > bound && timeline.quietMs(everythingOf(...regions), use.startMs) > bound;
  return atOnce || late ? `${ending.session} of ${ending.origin}, ended (${ending.by}) in ${ending.region} at ${at(ending.endMs)}, was taken by ${use.kind} in ${use.region} at ${at(use.startMs)}` : undefined;
}

/** A session lives until somebody ends it; a Redis that lost its memory asks for a new sign-in (contract, "Redis gone"). */
export const livingSessions: Check = (evidence) => {
  const { history, model } = evidence;
  const findings = new Findings();
  const restless = new Set(ofKind(history.operations, 'sign-out-all', 'change-password').filter(({ outcome }) => outcome !== 'refused').map(({ user }) => user));
  const left = new Map<string, number>();
  for (const { session, startMs } of ofKind(history.operations, 'sign-out')) left.set(session, Math.min(left.get(session) ?? startMs, startMs));
  for (const { session } of model.endings()) if (!left.has(session)) left.set(session, 0);
  for (const use of withSession(evidence)) {
    // Sign-outs everywhere and password changes end sessions made apart from them too: users who ask for those are looked at elsewhere.
    if (restless.has(use.user) || use.endMs >= (left.get(use.session) ?? Number.POSITIVE_INFINITY) || forgotten(evidence, use)) continue;
    findings.look(use.problem === 'session-invalid' ? `${use.session} of ${use.origin}, which nobody ended, was called invalid by ${use.kind} in ${use.region} at ${at(use.startMs)}` : undefined);
  }
  return findings.verdict('living-sessions', 'a session that nobody ended is never called invalid, unless the Redis that held it was lost');
};

/** Whether the memory that held it was lost before. */
function forgotten({ history }: Evidence, { origin, endMs }: WithSession): boolean {
  return history.faults.some((fault) => fault.fault.fault === 'kill' && fault.startMs <= endMs && faultyParts(fault).includes(`${origin}/redis`));
}
