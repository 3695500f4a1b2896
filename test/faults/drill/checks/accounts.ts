import { ofKind } from '../history.js';
import { type Check, Findings, at } from './verdict.js';

/** I2. */
export const oneAccount: Check = ({ history, final }) => {
  const findings = new Findings();
  const named = new Map<string, Set<string>>();
  const name = (user: string, id: string): void => void named.set(user, (named.get(user) ?? new Set()).add(id));
  for (const { user, account } of ofKind(history.operations, 'register', 'sign-in', 'try-old-password')) if (account !== undefined) name(user, account);
  for (const known of Object.values(final.accounts)) for (const [user, ids] of Object.entries(known)) for (const id of ids) name(user, id);
  for (const [user, ids] of named) findings.look(ids.size === 1 ? undefined : `identifier ${user} was the accounts ${[...ids].join(', ')}`);
  for (const { user, region, problem, startMs } of ofKind(history.operations, 'register')) {
    findings.look(problem === 'identifier-taken' ? `identifier ${user}, which nobody else asked for, was taken in ${region} at ${at(startMs)}` : undefined);
  }
  return findings.verdict('one-account', 'an identifier belongs to one account, the same in every answer and every region');
};

/** I1 for registrations, and `home-unavailable`: certainly not done, and never will be. */
export const accountsStay: Check = ({ model, final, history }) => {
  const findings = new Findings();
  for (const { first: { user, home }, outcome, endMs } of model.registrations) {
    const without = history.regions.filter((region) => (final.accounts[region]?.[user] ?? []).length === 0);
    const somewhere = without.length < history.regions.length;
    if (outcome === 'ok') findings.lookForWrite(without.length === 0 ? undefined : `identifier ${user} of ${home}, registered at ${at(endMs)}, is not in ${without.join(', ')}`);
    else if (outcome === 'refused') findings.look(somewhere ? `identifier ${user}, whose registration was refused at ${at(endMs)}, exists` : undefined);
    else findings.look(somewhere && without.length > 0 ? `identifier ${user}, whose registration is not known, is in some regions and not in ${without.join(', ')}` : undefined);
  }
  return findings.verdict('accounts-stay', 'a registered account never disappears, and a refused registration never happens');
};
