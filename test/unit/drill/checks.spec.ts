import { describe, expect, it } from 'vitest';
import { validate } from '../../faults/drill/checks/index.js';
import type { FinalMoney } from '../../faults/drill/final.js';
import type { Operation } from '../../faults/drill/history.js';
import { BENS, CUT, INVALID, LAPTOP, PHONE, PROMISES, REFUSED, type Seen, add, applied, change, operation, profiles, soundDrill, transferred } from './sound.js';

/** What each invariant must be caught by: a history in which only that one is broken. */
interface Broken {
  readonly invariant: string;
  readonly when: string;
  readonly happens: (seen: Seen) => void;
}

const DEE = { user: 'dee', home: 'west', key: 'r-dee', password: 'd1' } as const;
const wrong = { outcome: 'refused', status: 401, problem: 'invalid-credentials' } as const;

const BROKEN: readonly Broken[] = [
  { invariant: 'one-account', when: 'a sign-in elsewhere finds another account', happens: change('sign-in', 6_000, { account: 'id-other' }) },
  { invariant: 'one-account', when: 'two regions have an account each', happens: ({ final }) => void (final.accounts = { ...final.accounts, west: { ...final.accounts['west'], ben: ['id-other'] } }) },
  { invariant: 'one-account', when: 'an identifier is taken that nobody else asked for', happens: add(operation('register', 30_050, { ...DEE, outcome: 'refused', status: 409, problem: 'identifier-taken' })) },
  { invariant: 'accounts-stay', when: 'a registered account is missing in one region', happens: ({ final }) => void (final.accounts = { ...final.accounts, west: { ana: ['id-ana'] } }) },
  { invariant: 'accounts-stay', when: 'a refused registration happened all the same', happens: ({ final: { accounts } }) => ['east', 'west'].forEach((region) => Object.assign(accounts[region]!, { cy: ['id-cy'] })) },
  {
    invariant: 'accounts-stay', when: 'a registration whose outcome is not known happened in one region only',
    happens: ({ history, final }) => {
      history.operations.push(operation('register', 30_050, { ...DEE, outcome: 'unknown', status: 503, problem: 'outcome-unknown' }));
      final.accounts = { ...final.accounts, west: { ...final.accounts['west'], dee: ['id-dee'] } };
    },
  },
  { invariant: 'old-passwords', when: 'the replaced password is taken at home a moment later', happens: add(operation('try-old-password', 31_100, { password: 'p1' })) },
  { invariant: 'old-passwords', when: 'the replaced password is taken elsewhere long after the healing', happens: change('try-old-password', 52_000, { outcome: 'ok', status: 201, problem: undefined }) },
  { invariant: 'old-passwords', when: 'a refused password works', happens: add(operation('sign-in', 34_000, { user: 'ben', home: 'west', region: 'west', password: 'b2' })) },
  { invariant: 'old-passwords', when: 'the replaced password works at the end', happens: answer('passwords', { user: 'ana', region: 'west', password: 'p1' }, 'ok') },
  { invariant: 'right-passwords', when: 'the right password is called wrong', happens: change('sign-in', 60_000, { session: undefined, ...wrong }) },
  { invariant: 'right-passwords', when: 'the new password does not work at the end', happens: answer('passwords', { user: 'ana', region: 'west', password: 'p2' }, 'invalid-credentials') },
  { invariant: 'ended-sessions', when: 'a session is taken where it has just been ended', happens: change('try-ended-session', 33_100, { outcome: 'ok', status: 200, problem: undefined }) },
  { invariant: 'ended-sessions', when: 'a session made with an old password is taken long after the healing', happens: add(operation('check', 56_000, { session: 'late', origin: 'west', device: 'ana.x', region: 'west' })) },
  { invariant: 'ended-sessions', when: 'a session is taken elsewhere long after its sign-out and the healing', happens: add(operation('check', 52_000, { ...PHONE, region: 'west' })) },
  {
    invariant: 'ended-sessions', when: 'a session is taken elsewhere long after all were ended',
    happens: add(operation('sign-out-all', 61_500, { ...LAPTOP, region: 'west', session: 'desk' }), operation('check', 70_500, { session: 'new', origin: 'west', device: 'ana.new' })),
  },
  { invariant: 'ended-sessions', when: 'a sign-out is undone at the end', happens: answer('sessions', { session: 'phone', region: 'west' }, 'ok') },
  { invariant: 'living-sessions', when: 'a session is called invalid that nobody ended', happens: change('check', 61_000, INVALID) },
  {
    invariant: 'living-sessions', when: 'a session is called invalid before its Redis is lost, or because of another one',
    happens: ({ history }) => {
      history.faults.push(applied({ fault: 'kill', region: 'west', part: 'redis', atS: 0, forS: 2 }, 62_000, 64_000), applied({ fault: 'kill', region: 'east', part: 'redis', atS: 0, forS: 2 }, 55_000, 57_000));
      change('check', 61_000, INVALID)({ history } as Seen);
    },
  },
  { invariant: 'read-your-writes', when: 'an unmarked answer lacks the own edit', happens: change('read-profile', 7_100, { seen: {} }) },
  { invariant: 'read-your-writes', when: 'the answer to an edit lacks an earlier one', happens: add(operation('edit-profile', 30_900, { ...PHONE, region: 'west', field: 'attributes.a', value: null, read: 'local', seen: {} })) },
  { invariant: 'read-your-writes', when: 'an unmarked answer shows what the own edit replaced', happens: add(operation('read-profile', 9_900, { ...PHONE, read: 'local', seen: { bio: 'one' } })) },
  {
    invariant: 'read-your-writes', when: 'an unmarked answer shows a refused edit in place of the own one',
    happens: add(
      operation('edit-profile', 30_600, { session: 'desk', origin: 'west', device: 'ana.desk', ...REFUSED, problem: 'unavailable', field: 'bio', value: 'refused' }),
      operation('read-profile', 30_700, { ...PHONE, read: 'local', seen: { bio: 'refused' } }),
    ),
  },
  { invariant: 'profiles-converge', when: 'the regions show different profiles', happens: profile('west', { bio: 'two' }, '"other"') },
  { invariant: 'profiles-converge', when: 'an acknowledged edit is lost', happens: profiles({ bio: 'two' }) },
  { invariant: 'profiles-converge', when: 'an edit lost to one that its author had seen', happens: profiles({ bio: 'one', displayName: 'three' }) },
  { invariant: 'profiles-converge', when: 'an edit lost to an earlier one of its author, of which it was not marked stale', happens: add(bioInWest({ device: PHONE.device, read: 'second' })) },
  { invariant: 'profiles-converge', when: 'an edit lost to one that its region had shown', happens: add(operation('read-profile', 30_600, { ...LAPTOP, region: 'west', read: 'local', seen: { bio: 'two', displayName: 'three' } }), bioInWest({})) },
  {
    invariant: 'profiles-converge', when: 'a refused edit shows',
    happens: (seen) => {
      add(operation('edit-profile', 30_700, { ...LAPTOP, ...REFUSED, problem: 'unavailable', field: 'bio', value: 'elsewhere' }))(seen);
      profiles({ bio: 'elsewhere', displayName: 'three' })(seen);
    },
  },
  { invariant: 'profiles-converge', when: 'a field shows that nobody ever wrote, in place of one whose only edit was refused', happens: (seen) => {
    add(operation('edit-profile', 30_600, { ...LAPTOP, ...REFUSED, problem: 'unavailable', field: 'attributes.a', value: 'never' }))(seen);
    profiles({ bio: 'two', displayName: 'three', 'attributes.a': 'from nowhere' })(seen);
  } },
  { invariant: 'profiles-converge', when: 'a value shows that nobody wrote', happens: profiles({ bio: 'four', displayName: 'three' }) },
  { invariant: 'money-conserved', when: 'money comes from nowhere', happens: money((now) => ({ books: { ...now.books, west: { ...now.books['west'], account: 1_151 } } })) },
  { invariant: 'money-conserved', when: 'money comes from a book that issues none', happens: money((now) => ({ books: { ...now.books, east: { ...now.books['east'], suspense: 100, mystery: -100 } } })) },
  { invariant: 'money-conserved', when: 'the postings of a region are not even, though those of all are', happens: money((now) => ({ books: { east: { ...now.books['east'], deposits: -999 }, west: { ...now.books['west'], deposits: -1_001 } } })) },
  { invariant: 'money-conserved', when: 'money stays on its way', happens: money((now) => ({ books: { ...now.books, west: { deposits: -1_000, account: 1_000 } } })) },
  { invariant: 'money-conserved', when: 'a balance is not what was posted', happens: money((now) => ({ balances: [{ ...now.balances[0]!, balances: 840 }, now.balances[1]!] })) },
  { invariant: 'money-conserved', when: 'a balance is negative', happens: money((now) => ({ balances: [{ ...now.balances[0]!, lowest: -1 }, now.balances[1]!] })) },
  { invariant: 'transfers-end', when: 'an acknowledged order is not there', happens: money((now) => ({ transfers: now.transfers.filter(({ order, region }) => order !== 'o-1' || region !== 'west') })) },
  { invariant: 'transfers-end', when: 'an acknowledged order is nowhere', happens: add(operation('transfer', 30_450, { ...LAPTOP, region: 'west', key: 'o-9', payee: 'ben', amount: 5, transfer: 't-9', transferStatus: 'queued' })) },
  { invariant: 'transfers-end', when: 'a transfer is still queued somewhere', happens: transfer('t-2', 'east', { status: 'queued' }) },
  { invariant: 'transfers-end', when: 'one order became two transfers', happens: money((now) => ({ transfers: [...now.transfers, { ...now.transfers[0]!, transfer: 't-9', amount: 0, status: 'failed' }], notifications: [...now.notifications, ...told('t-9')] })) },
  { invariant: 'transfers-end', when: 'a refused order happened', happens: money((now) => ({ transfers: [...now.transfers, { ...now.transfers[0]!, transfer: 't-9', order: 'o-3', amount: 0, status: 'failed' }], notifications: [...now.notifications, ...told('t-9')] })) },
  { invariant: 'transfers-end', when: 'an order that was refused for want of money is settled', happens: transferred({ outcome: 'refused', status: 422, problem: 'insufficient-funds' }, 'settled') },
  { invariant: 'transfers-end', when: 'a transfer that was said to be settled has failed', happens: transferred({ transferStatus: 'settled' }, 'failed') },
  { invariant: 'transfers-end', when: 'a transfer has failed here and was cancelled there', happens: transferred({ transferStatus: 'queued' }, 'cancelled', 'failed') },
  { invariant: 'transfers-end', when: 'a transfer is still queued everywhere', happens: transferred({ transferStatus: 'queued' }, 'queued') },
  { invariant: 'wallets-right', when: 'a wallet shows what its transfers do not explain', happens: money((now) => ({ wallets: now.wallets.map((one, index) => (index === 3 ? { ...one, balance: 1_100 } : one)) })) },
  { invariant: 'told-once', when: 'the payee is not told', happens: money((now) => ({ notifications: now.notifications.filter(({ kind, subject }) => kind !== 'transfer-received' || subject !== 't-2') })) },
  { invariant: 'told-once', when: 'the payer is told twice', happens: money((now) => ({ notifications: [...now.notifications, now.notifications[0]!] })) },
  { invariant: 'typed-refusals', when: 'an error has no type', happens: add(operation('check', 30_500, { ...LAPTOP, outcome: 'unknown', status: 500, malformed: '500 without a problem type' })) },
  { invariant: 'typed-refusals', when: 'a connection is lost though no service was touched', happens: ({ history }) => void history.operations.push(lost(30_500)) },
  { invariant: 'deadlines', when: 'a call waits longer than its budget', happens: change('check', 30_200, { endMs: 40_200 }) },
  { invariant: 'deadlines', when: 'a refusal takes long though the cut is known', happens: change('register', 30_000, { endMs: 31_500 }) },
  { invariant: 'assurance', when: 'a sign-in elsewhere is full during the cut', happens: change('sign-in', 30_100, { assurance: 'full' }) },
  {
    invariant: 'assurance', when: 'a sign-in elsewhere is full though everything of its home is dead',
    happens: ({ history }) => {
      history.faults.push(applied({ fault: 'kill', region: 'east', part: 'all', atS: 0, forS: 12 }, 62_000, 74_000));
      history.operations.push(operation('sign-in', 70_000, { region: 'west', password: 'p2', account: 'id-ana', session: 'late-desk', assurance: 'full' }));
    },
  },
  { invariant: 'untouched-succeed', when: 'a call at home is refused because of the cut', happens: change('check', 30_200, { outcome: 'refused', status: 503, problem: 'overloaded' }) },
  { invariant: 'untouched-succeed', when: 'a sign-in elsewhere is refused though all is known there', happens: change('sign-in', 30_100, { ...REFUSED, session: undefined, assurance: undefined }) },
  { invariant: 'untouched-latency', when: 'checks at home take longer during the cut', happens: ({ history }) => history.operations.forEach((one, index) => {
    if (one.startMs >= 25_000 && one.startMs < 28_000) history.operations[index] = { ...one, endMs: one.startMs + 40 };
  }) },
  { invariant: 'untouched-latency', when: 'checks take longer whose client wrote elsewhere long before the cut', happens: ({ history }) => {
    history.operations.push(operation('sign-out', 5_000, { ...BENS, region: 'east', session: 'ben-4' }));
    history.operations.forEach((one, index) => {
      if (one.startMs >= 25_000 && one.startMs < 28_000) history.operations[index] = { ...one, endMs: one.startMs + 40 };
    });
  } },
  { invariant: 'regions-equal', when: 'a table differs', happens: ({ final }) => void (final.tables = { account: { ...final.tables['account'], west: { digest: 'other', rows: 2 } } }) },
  { invariant: 'regions-equal', when: 'the regions never become equal', happens: ({ final }) => void delete (final as { equalMs?: number }).equalMs },
  { invariant: 'caught-up', when: 'a healing takes too long', happens: ({ history }) => void (history.faults[0] = { ...CUT, caughtUpMs: 12_000 }) },
  { invariant: 'nothing-aside', when: 'an event was kept aside', happens: ({ final }) => void (final.aside = { ...final.aside, east: { deadLetters: 1, conflicts: 0 } }) },
  { invariant: 'nothing-aside', when: 'a conflict was found', happens: ({ final }) => void (final.aside = { ...final.aside, west: { deadLetters: 0, conflicts: 1 } }) },
  { invariant: 'no-restarts', when: 'a service is another process', happens: ({ final }) => void (final.boots = { ...final.boots, east: { before: 'e', after: 'f' } }) },
  {
    invariant: 'no-restarts', when: 'a service is another process, and another part or another region was killed',
    happens: ({ history, final }) => {
      history.faults.push(applied({ fault: 'kill', region: 'east', part: 'kafka', atS: 0, forS: 2 }, 62_000, 64_000), applied({ fault: 'freeze', region: 'east', part: 'api', atS: 0, forS: 2 }, 65_000, 67_000));
      final.boots = { ...final.boots, east: { before: 'e', after: 'f' } };
    },
  },
];

function answer(where: 'passwords' | 'sessions', which: object, is: string): (seen: Seen) => void {
  return ({ final }) => {
    const fits = (one: object): boolean => Object.entries(which).every(([name, value]) => (one as Record<string, unknown>)[name] === value);
    Object.assign(final, { [where]: (final[where] as readonly object[]).map((one) => (fits(one) ? { ...one, answer: is } : one)) });
  };
}

function money(to: (now: FinalMoney) => Partial<FinalMoney>): (seen: Seen) => void {
  return ({ final }) => void (final.money = { ...final.money, ...to(final.money) });
}

function transfer(id: string, region: string, told: object): (seen: Seen) => void {
  return money((now) => ({ transfers: now.transfers.map((one) => (one.transfer === id && one.region === region ? { ...one, ...told } : one)) }));
}

function told(subject: string): FinalMoney['notifications'][number][] {
  return ['east', 'west'].map((region) => ({ account: 'id-ana', region, kind: 'transfer-failed', subject }));
}

/** An edit of what Ana's phone wrote in the east, made in the west during the cut. */
function bioInWest(told: object): Operation {
  return operation('edit-profile', 30_700, { ...LAPTOP, region: 'west', field: 'bio', value: 'elsewhere', seen: { bio: 'elsewhere', displayName: 'three' }, read: 'local', ...told });
}

function profile(region: string, fields: Record<string, string>, etag: string): (seen: Seen) => void {
  return ({ final }) => void (final.profiles = final.profiles.map((one) => (one.user === 'ana' && one.region === region ? { ...one, fields, etag } : one)));
}

/** A check whose connection broke. */
function lost(startMs: number): Operation {
  const { status: _, ...rest } = operation('check', startMs, { ...PHONE, outcome: 'unknown' }) as Operation<'check'> & { status?: number };
  // Another fault excuses its failure, and nothing excuses its silence.
  return { ...rest, ...LAPTOP } as Operation;
}

describe('the checks of a drill', () => {
  it('find nothing in a history in which every promise was kept, and each has something to look at', () => {
    const { history, final } = soundDrill();
    const verdicts = validate(history, final, PROMISES);
    expect(verdicts.flatMap(({ name, broken }) => broken.map((line) => `${name}: ${line}`))).toEqual([]);
    expect(verdicts.filter(({ checked }) => checked === 0)).toEqual([]);
    expect(new Set(BROKEN.map(({ invariant }) => invariant))).toEqual(new Set(verdicts.map(({ name }) => name)));
  });

  it.each(BROKEN)('catch $invariant, and only that: $when', ({ invariant, happens }) => {
    const seen = soundDrill();
    happens(seen);
    const broken = validate(seen.history, seen.final, PROMISES).filter((verdict) => verdict.broken.length > 0);
    expect(broken.map(({ name }) => name), JSON.stringify(broken)).toEqual([invariant]);
  });

  it('count acknowledged writes that are missing', () => {
    const seen = soundDrill();
    seen.final.accounts = { ...seen.final.accounts, west: { ana: ['id-ana'] } };
    answer('sessions', { session: 'phone', region: 'west' }, 'ok')(seen);
    expect(validate(seen.history, seen.final, PROMISES).reduce((sum, { missing }) => sum + missing, 0)).toBe(2);
  });
});
