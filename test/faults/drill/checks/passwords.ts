import { PASSWORD_ENDS_MS } from '../bounds.js';
import type { Operation } from '../history.js';
import { everythingOf } from '../timeline.js';
import { type Check, type Evidence, Findings, at } from './verdict.js';

/** Faults, 11: the old password is dead at home at once, elsewhere soon after the change or the healing. */
export const oldPasswords: Check = (evidence) => {
  const { model, final, history } = evidence;
  const findings = new Findings();
  for (const { first: { user, home, current, next }, outcome, endMs } of model.changes) {
    const dead = outcome === 'ok' ? current : outcome === 'refused' ? next : undefined;
    if (dead === undefined) continue;
    for (const signIn of model.signIns) {
      if (signIn.user !== user || signIn.password !== dead) continue;
      // A password that was never taken works nowhere, at no time.
      const since = outcome === 'ok' ? endMs : 0;
      if (signIn.startMs > since) findings.look(stillWorks(evidence, signIn, since, home, outcome === 'ok'));
    }
    for (const region of history.regions) {
      const tried = final.passwords.find((one) => one.user === user && one.region === region && one.password === dead);
      if (tried !== undefined) findings.look(tried.answer === 'ok' ? `a password of ${user} that was ${outcome === 'ok' ? 'replaced' : 'refused'} at ${at(endMs)} works in ${region} at the end` : undefined);
    }
  }
  return findings.verdict('old-passwords', 'a password that was replaced or never taken works nowhere once its bound has passed');
};

function stillWorks({ timeline }: Evidence, { region, startMs, outcome, user }: Operation<'sign-in' | 'try-old-password'>, sinceMs: number, home: string, wasInForce: boolean): string | undefined {
  if (outcome !== 'ok') return undefined;
  const known = region === home || !wasInForce || (startMs - sinceMs > PASSWORD_ENDS_MS && timeline.quietMs(everythingOf(region, home), startMs) > PASSWORD_ENDS_MS);
  return known ? `a password of ${user} (home ${home}) that ended at ${at(sinceMs)} was taken in ${region} at ${at(startMs)}` : undefined;
}

/** I1 for password changes; rule 8: a 401 is said by home's word only, so it is never said of the right password. */
export const rightPasswords: Check = ({ model, final, history }) => {
  const findings = new Findings();
  for (const { first: { user, password }, outcome, endMs } of model.registrations) {
    if (outcome !== 'ok') continue;
    const changes = model.changesOf(user).filter((change) => change.outcome !== 'refused');
    const spans = [{ password, fromMs: endMs, untilMs: changes[0]?.startMs ?? Number.POSITIVE_INFINITY }];
    changes.forEach((change, index) => {
      if (change.outcome === 'ok') spans.push({ password: change.first.next, fromMs: change.endMs, untilMs: changes[index + 1]?.startMs ?? Number.POSITIVE_INFINITY });
    });
    for (const signIn of model.signIns.filter((one) => one.user === user)) {
      const inForce = spans.some((span) => span.password === signIn.password && span.fromMs < signIn.startMs && signIn.endMs < span.untilMs);
      if (inForce) findings.look(signIn.problem === 'invalid-credentials' ? `the right password of ${user} was called wrong in ${signIn.region} at ${at(signIn.startMs)}` : undefined);
    }
    const candidates = model.passwordsInForce(user);
    for (const region of history.regions) {
      const tried = final.passwords.filter((one) => one.user === user && one.region === region && candidates.includes(one.password));
      if (tried.length === 0) continue;
      const working = tried.filter(({ answer }) => answer === 'ok').length;
      findings.lookForWrite(working === 1 ? undefined : `of ${candidates.length} passwords that ${user} may have, ${working} work in ${region} at the end: ${tried.map(({ answer }) => answer).join(', ')}`);
    }
  }
  return findings.verdict('right-passwords', 'the password in force is taken in every region at the end, and is never called wrong');
};
