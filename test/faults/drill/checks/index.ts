import type { Final } from '../final.js';
import type { History } from '../history.js';
import { Model } from '../model.js';
import type { Scenario } from '../scenario.js';
import { Timeline } from '../timeline.js';
import { accountsStay, oneAccount } from './accounts.js';
import { assurance, deadlines, typedRefusals } from './answers.js';
import { moneyConserved, toldOnce, transfersEnd, walletsRight } from './bank.js';
import { oldPasswords, rightPasswords } from './passwords.js';
import { profilesConverge, readYourWrites } from './profiles.js';
import { caughtUp, noRestarts, nothingAside, regionsEqual } from './regions.js';
import { endedSessions, livingSessions } from './sessions.js';
import { untouchedLatency, untouchedSucceed } from './untouched.js';
import type { Check, Verdict } from './verdict.js';

export { type UntouchedFigures, untouchedFigures } from './untouched.js';
export type { Verdict } from './verdict.js';

const CHECKS: readonly Check[] = [
  oneAccount, accountsStay, oldPasswords, rightPasswords, endedSessions, livingSessions, readYourWrites, profilesConverge,
  moneyConserved, transfersEnd, walletsRight, toldOnce,
  typedRefusals, deadlines, assurance, untouchedSucceed, untouchedLatency, regionsEqual, caughtUp, nothingAside, noRestarts,
];

/** Holds what was seen against every promise. Each check is caught by a broken history of its own: test/unit/drill/checks.spec.ts. */
export function validate(history: History, final: Final, promises: Scenario['promises']): Verdict[] {
  const evidence = { history, final, model: new Model(history), timeline: new Timeline(history.faults), promises };
  return CHECKS.map((check) => check(evidence));
}
