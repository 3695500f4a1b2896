import { describe, expect, it } from 'vitest';
import { validate } from '../../faults/drill/checks/index.js';
import { BENS, INVALID, LAPTOP, PHONE, PROMISES, REFUSED, type Seen, add, applied, operation, profiles, soundDrill, transferred } from './sound.js';

/** What only looks like a broken promise: a false alarm would make every true one worth less. */
interface Excused {
  readonly what: string;
  readonly happens: (seen: Seen) => void;
}

const OVERLOADED = { outcome: 'refused', status: 503, problem: 'overloaded' } as const;
const elsewhere = { ...LAPTOP, region: 'west' };
const bio = (startMs: number, told: object) => operation('edit-profile', startMs, { ...elsewhere, field: 'bio', value: 'elsewhere', seen: { bio: 'elsewhere', displayName: 'three' }, read: 'local', ...told });
const fullSignIn = (startMs: number, told: object) => operation('sign-in', startMs, { region: 'west', password: 'p1', account: 'id-ana', session: 'early', assurance: 'full', ...told });

const EXCUSED: readonly Excused[] = [
  { what: 'an overload of a machine that was too small for the traffic without any fault', happens: add(operation('check', 12_000, { ...PHONE, ...OVERLOADED }), operation('check', 30_500, { ...PHONE, ...OVERLOADED })) },
  {
    what: 'a connection lost with its service, a session lost with its Redis, another process after a kill',
    happens: ({ history, final }) => {
      history.faults.push(applied({ fault: 'kill', region: 'west', part: 'all', atS: 0, forS: 5 }, 62_000, 66_000));
      history.operations.push({ ...operation('check', 61_995, { ...BENS, region: 'west', outcome: 'unknown' }), status: undefined } as unknown as ReturnType<typeof operation>);
      history.operations.push(operation('check', 69_000, { ...BENS, region: 'west', ...INVALID }));
      final.boots = { ...final.boots, west: { before: 'w', after: 'x' } };
    },
  },
  {
    what: 'a call to a service that was frozen meanwhile',
    happens: ({ history }) => {
      history.faults.push(applied({ fault: 'freeze', region: 'west', part: 'api', atS: 0, forS: 9 }, 62_000, 71_000));
      history.operations.push(operation('check', 62_500, { ...BENS, region: 'west', endMs: 71_500 }));
    },
  },
  { what: 'a slow refusal before the cut was known', happens: add(operation('register', 20_500, { ...REFUSED, region: 'west', key: 'r-eve', password: 'e1', user: 'eve', endMs: 23_000 })) },
  { what: 'a slow answer during the cut that is no refusal', happens: add(operation('register', 30_600, { region: 'west', key: 'r-eve', password: 'e1', user: 'eve', outcome: 'unknown', status: 503, problem: 'outcome-unknown', endMs: 32_600 })) },
  { what: 'full assurance while the last heartbeats were young', happens: add(fullSignIn(20_500, {})) },
  { what: 'full assurance of an answer that came after the healing', happens: add(fullSignIn(39_985, { endMs: 40_200 })) },
  {
    what: 'full assurance while the link is cut one way, or home is only slow to answer',
    happens: ({ history }) => {
      history.faults.push(applied({ fault: 'cut', between: ['east', 'west'], mode: 'blackhole', direction: 'west-to-east', atS: 0, forS: 10 }, 61_500, 71_500));
      history.operations.push(fullSignIn(68_000, { password: 'p2', session: 'later' }));
    },
  },
  {
    what: 'a registration whose outcome is not known and that happened everywhere',
    happens: ({ history, final }) => {
      history.operations.push(operation('register', 30_050, { user: 'dee', home: 'west', key: 'r-dee', password: 'd1', outcome: 'unknown', status: 503, problem: 'outcome-unknown' }));
      final.accounts = Object.fromEntries(Object.entries(final.accounts).map(([region, known]) => [region, { ...known, dee: ['id-dee'] }]));
    },
  },
  { what: 'a new password called wrong while it is being changed', happens: add(operation('sign-in', 30_995, { password: 'p2', outcome: 'refused', status: 401, problem: 'invalid-credentials', endMs: 31_005 })) },
  { what: 'an old password elsewhere for as long as the cut lasts', happens: add(fullSignIn(39_000, { session: 'later', assurance: 'local' })) },
  {
    what: 'an old password elsewhere right after its change',
    happens: ({ history, final }) => {
      const dee = { user: 'dee', home: 'west' };
      history.operations.push(
        operation('register', 10_500, { ...dee, region: 'west', key: 'r-dee', password: 'd1', account: 'id-dee' }),
        operation('change-password', 12_000, { ...dee, region: 'west', session: 'dee', origin: 'west', device: 'dee.phone', key: 'c-dee', current: 'd1', next: 'd2' }),
        operation('try-old-password', 12_500, { ...dee, password: 'd1', account: 'id-dee', session: 'dee-late', assurance: 'full' }),
      );
      final.accounts = Object.fromEntries(Object.entries(final.accounts).map(([region, known]) => [region, { ...known, dee: ['id-dee'] }]));
    },
  },
  { what: 'an ended session elsewhere during the cut', happens: add(operation('check', 39_000, { ...PHONE, region: 'west' })) },
  {
    what: 'an ended session elsewhere within its bound',
    happens: add(
      operation('sign-in', 60_000, { ...BENS, region: 'east', password: 'b1', account: 'id-ben', session: 'ben-2', assurance: 'full' } as never),
      operation('sign-out', 60_500, { ...BENS, region: 'east', session: 'ben-2', origin: 'east' }), operation('check', 61_500, { ...BENS, region: 'west', session: 'ben-2', origin: 'east' }),
    ),
  },
  {
    what: 'a session called invalid while its sign-out is under way',
    happens: add(operation('sign-out', 61_500, { ...BENS, session: 'ben-3', region: 'west', endMs: 61_700 }), operation('check', 61_505, { ...BENS, ...INVALID, session: 'ben-3', region: 'west' })),
  },
  { what: 'an answer that lacks the own edit and says that it is stale', happens: add(operation('read-profile', 30_900, { ...PHONE, region: 'west', read: 'stale', seen: { displayName: 'three' } })) },
  { what: 'an answer to another device, which lacks an edit of elsewhere', happens: add(bio(30_600, { device: 'ana.desk' }), operation('read-profile', 30_900, { ...elsewhere, region: 'east', read: 'local', seen: { bio: 'two', displayName: 'three' } })) },
  { what: 'an answer without an own edit whose outcome is not known', happens: add(bio(30_600, { region: 'east', outcome: 'unknown', status: 503, problem: 'outcome-unknown', seen: undefined }), operation('read-profile', 30_900, { ...elsewhere, read: 'local', seen: { bio: 'two', displayName: 'three' } })) },
  {
    what: 'an own edit that lost to one that was made elsewhere at the same time',
    happens: (seen) => {
      add(operation('edit-profile', 30_600, { ...PHONE, field: 'bio', value: 'here', seen: { bio: 'here' }, read: 'local' }), bio(30_650, {}), operation('read-profile', 30_900, { ...PHONE, read: 'local', seen: { bio: 'elsewhere' } }))(seen);
      profiles({ bio: 'elsewhere', displayName: 'three' })(seen);
    },
  },
  {
    what: 'an edit that lost to an earlier one of the same region whose outcome is not known',
    happens: (seen) => {
      add(bio(30_600, { region: 'east', outcome: 'unknown', status: 503, problem: 'outcome-unknown', seen: undefined }), operation('edit-profile', 30_700, { ...PHONE, field: 'bio', value: 'later', seen: { bio: 'later' }, read: 'local' }))(seen);
      profiles({ bio: 'elsewhere', displayName: 'three' })(seen);
    },
  },
  { what: 'an edit that lost to one which its author had not seen', happens: add(bio(30_600, {})) },
  { what: 'an edit that lost to an own earlier one, of which it was marked stale', happens: add(bio(30_600, { device: PHONE.device, read: 'stale' })) },
  { what: 'an edit that lost to one that its author had been shown elsewhere, before or in an answer marked stale', happens: add(
    operation('read-profile', 30_500, { ...PHONE, read: 'local', seen: { bio: 'two' } }), operation('read-profile', 30_550, { ...elsewhere, read: 'stale', seen: { bio: 'two', displayName: 'three' } }), bio(30_600, {}),
    operation('read-profile', 45_000, { ...elsewhere, read: 'local', seen: { bio: 'two', displayName: 'three' } })) },
  { what: 'an order refused for want of money that has failed', happens: transferred({ outcome: 'refused', status: 422, problem: 'insufficient-funds' }, 'failed') },
  { what: 'an order whose outcome is not known and that never came', happens: add(operation('transfer', 30_460, { ...LAPTOP, key: 'o-8', payee: 'ben', amount: 5, outcome: 'unknown', status: 503, problem: 'outcome-unknown' })) },
  { what: 'granted vouchers and suspended credits', happens: ({ final }) => void (final.money = { ...final.money, books: { ...final.money.books, east: { ...final.money.books['east'], vouchers: -70, suspense: 70 } } }) },
  { what: 'a slow check of a session after its client wrote elsewhere', happens: ({ history }) => {
    // In force when they were made, so that the region where it wrote had to be asked.
    history.operations.push(operation('sign-out', 24_000, { ...BENS, region: 'east', session: 'ben-4' }), operation('sign-out-all', 24_010, { ...BENS, region: 'east', session: 'ben-4', outcome: 'refused', status: 401, problem: 'session-invalid' }));
    history.operations.forEach((one, index) => {
      if (one.startMs >= 25_000 && one.startMs < 28_000) history.operations[index] = { ...one, endMs: one.startMs + 40 };
    });
  } },
];

describe('the checks of a drill find nothing in', () => {
  it.each(EXCUSED)('$what', ({ happens }) => {
    const seen = soundDrill();
    happens(seen);
    const broken = validate(seen.history, seen.final, PROMISES).filter((verdict) => verdict.broken.length > 0);
    expect(broken.map(({ name, broken: [first] }) => `${name}: ${first}`)).toEqual([]);
  });

  it('slow calls where a scenario does not ask for latency', () => {
    const { history, final } = soundDrill();
    history.operations.forEach((one, index) => {
      if (one.startMs >= 25_000 && one.startMs < 28_000) history.operations[index] = { ...one, endMs: one.startMs + 40 };
    });
    expect(validate(history, final, { ...PROMISES, untouchedLatency: false }).filter(({ broken }) => broken.length > 0)).toEqual([]);
  });
});
