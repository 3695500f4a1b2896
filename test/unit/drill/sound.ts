import type { Final, FinalMoney } from '../../faults/drill/final.js';
import type { AppliedFault, Call, FactsOf, History, Kind, Operation } from '../../faults/drill/history.js';
import type { Fault, Scenario } from '../../faults/drill/scenario.js';

export const PROMISES: Scenario['promises'] = { caughtUpWithinS: 10, untouchedLatency: true };
/** The link is cut from 20 s to 40 s. */
export const CUT = applied({ fault: 'cut', between: ['east', 'west'], mode: 'blackhole', direction: 'both', atS: 0, forS: 20 }, 20_000, 40_000);

const ANA = { user: 'ana', home: 'east' };
const BEN = { user: 'ben', home: 'west' };
const CUSTOMERS = [ANA, BEN];

/** What a drill saw, as a test may change it. */
export interface Seen {
  history: History & { operations: Operation[]; faults: AppliedFault[] };
  final: Mutable<Final>;
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function applied(fault: Fault, startMs: number, endMs: number, caughtUpMs?: number): AppliedFault {
  return { fault, startMs, inForceMs: startMs + 10, healMs: endMs - 10, endMs, ...(caughtUpMs === undefined ? {} : { caughtUpMs }) };
}

/** One call that took 10 ms and ended well, unless told otherwise. */
export function operation<K extends Kind>(kind: K, startMs: number, told: Partial<Call> & FactsOf[K]): Operation<K> {
  return { kind, region: 'east', ...ANA, startMs, endMs: startMs + 10, outcome: 'ok', status: 200, ...told } as unknown as Operation<K>;
}

/** Ana's own phone: a session made in the east. */
export const PHONE = { session: 'phone', origin: 'east', device: 'ana.phone' };
/** Ana's laptop, in the west. */
export const LAPTOP = { session: 'laptop', origin: 'west', device: 'ana.laptop' };
export const REFUSED = { outcome: 'refused', status: 503, problem: 'home-unavailable' } as const;
export const INVALID = { outcome: 'refused', status: 401, problem: 'session-invalid' } as const;

/** Ben's phone, at home in the west. */
export const BENS = { ...BEN, session: 'ben', origin: 'west', device: 'ben.phone' };

export function add(...operations: Operation[]): (seen: Seen) => void {
  return ({ history }) => void history.operations.push(...operations);
}

/** Replaces what the operation that fits says. */
export function change(kind: Operation['kind'], startMs: number, told: object): (seen: Seen) => void {
  return ({ history }) => {
    const index = history.operations.findIndex((one) => one.kind === kind && one.startMs === startMs);
    history.operations[index] = { ...history.operations[index]!, ...told } as Operation;
  };
}

/**
 * One more order of Ana's, of nothing, so that no wallet tells how it ended: only the transfer itself does.
 * @param told how it was answered, in the west during the cut
 * @param east how it ended there, and `west` there where that is something else
 */
export function transferred(told: object, east: string, west: string = east): (seen: Seen) => void {
  return ({ history, final }) => {
    history.operations.push(operation('transfer', 30_450, { ...LAPTOP, region: 'west', key: 'o-9', payee: 'ben', amount: 0, transfer: 't-9', ...told }));
    const ends = [['east', east], ['west', west]] as const;
    const notices = (region: string) => [{ account: 'id-ana', region, kind: `transfer-${west}`, subject: 't-9' }, ...(west === 'settled' ? [{ account: 'id-ben', region, kind: 'transfer-received', subject: 't-9' }] : [])];
    final.money = {
      ...final.money,
      transfers: [...final.money.transfers, ...ends.map(([region, status]) => ({ transfer: 't-9', order: 'o-9', region, payer: 'id-ana', payee: 'id-ben', amount: 0, status }))],
      notifications: [...final.money.notifications, ...ends.flatMap(([region]) => notices(region))],
    };
  };
}

/** What Ana's profile shows at the end, in every region. */
export function profiles(fields: Record<string, string>): (seen: Seen) => void {
  return ({ final }) => void (final.profiles = final.profiles.map((one) => (one.user === 'ana' ? { ...one, fields } : one)));
}

/** A drill with a cut in which every promise was kept, and every check has something to look at. */
export function soundDrill(): Seen {
  const operations: Operation[] = [
    operation('register', 0, { key: 'r-ana', password: 'p1', account: 'id-ana' }),
    operation('register', 50, { ...BEN, region: 'west', key: 'r-ben', password: 'b1', account: 'id-ben' }),
    operation('sign-in', 100, { password: 'p1', account: 'id-ana', session: 'phone', assurance: 'full' }),
    operation('sign-in', 6_000, { region: 'west', password: 'p1', account: 'id-ana', session: 'laptop', assurance: 'full' }),
    operation('sign-in', 6_100, { ...BEN, region: 'west', password: 'b1', account: 'id-ben', session: 'ben', assurance: 'full' }),
    operation('edit-profile', 7_000, { ...PHONE, field: 'bio', value: 'one', seen: { bio: 'one' }, read: 'local' }),
    operation('read-profile', 7_100, { ...PHONE, region: 'west', seen: { bio: 'one' }, read: 'second' }),
    operation('edit-profile', 8_000, { ...PHONE, field: 'bio', value: 'two', seen: { bio: 'two' }, read: 'local' }),
    operation('transfer', 9_000, { ...PHONE, key: 'o-1', payee: 'ben', amount: 100, transfer: 't-1', transferStatus: 'settled' }),
    operation('read-wallet', 9_500, { ...PHONE, balance: 900, authoritative: true }),
    // During the cut: each side goes on, what needs the other is refused.
    operation('register', 30_000, { ...REFUSED, user: 'cy', home: 'west', key: 'r-cy', password: 'c1' }),
    operation('sign-in', 30_100, { region: 'west', password: 'p1', account: 'id-ana', session: 'desk', assurance: 'local' }),
    operation('check', 30_200, { ...PHONE }),
    operation('edit-profile', 30_300, { ...LAPTOP, region: 'west', field: 'displayName', value: 'three', seen: { bio: 'two', displayName: 'three' }, read: 'local' }),
    operation('transfer', 30_400, { ...LAPTOP, region: 'west', key: 'o-2', payee: 'ben', amount: 50, transfer: 't-2', transferStatus: 'queued' }),
    operation('transfer', 30_500, { ...PHONE, region: 'west', ...REFUSED, problem: 'session-origin-unavailable', key: 'o-3', payee: 'cy', amount: 10 }),
    operation('change-password', 31_000, { ...PHONE, key: 'c-ana', current: 'p1', next: 'p2' }),
    operation('try-old-password', 32_000, { region: 'west', password: 'p1', account: 'id-ana', session: 'late', assurance: 'local' }),
    operation('change-password', 32_500, { ...REFUSED, ...BENS, key: 'c-ben', current: 'b1', next: 'b2' }),
    operation('sign-out', 33_000, { ...PHONE }),
    operation('try-ended-session', 33_100, { ...PHONE, ...INVALID }),
    // After it: what ended is over everywhere.
    operation('try-old-password', 52_000, { region: 'west', password: 'p1', outcome: 'refused', status: 401, problem: 'invalid-credentials' }),
    operation('sign-in', 60_000, { region: 'west', password: 'p2', account: 'id-ana', session: 'new', assurance: 'full' }),
    operation('check', 61_000, { ...BENS, region: 'east' }),
    ...checksOfBen(10_000), ...checksOfBen(25_000),
  ];
  const history = { regions: ['east', 'west'], operations, faults: [{ ...CUT, caughtUpMs: 800 }], beganAt: '2026-11-21T12:00:00.000Z', fromMs: -20_000, toMs: 70_000 };
  return { history, final: soundFinal() };
}

/** Enough quick checks in the west of a session made there to judge a latency. */
function checksOfBen(fromMs: number): Operation[] {
  return Array.from({ length: 120 }, (_, index) => operation('check', fromMs + index * 20, { ...BENS, region: 'west' }));
}

function soundFinal(): Final {
  const accounts = { ana: ['id-ana'], ben: ['id-ben'] };
  const both = <T>(of: (region: string) => T[]): T[] => ['east', 'west'].flatMap(of);
  return {
    accounts: { east: accounts, west: accounts },
    passwords: both((region) => [
      { user: 'ana', region, password: 'p1', answer: 'invalid-credentials' }, { user: 'ana', region, password: 'p2', answer: 'ok' },
      { user: 'ben', region, password: 'b1', answer: 'ok' }, { user: 'ben', region, password: 'b2', answer: 'invalid-credentials' },
    ]),
    sessions: both((region) => ['phone', 'laptop', 'desk', 'late'].map((session) => ({ session, region, answer: 'session-invalid' })).concat([{ session: 'ben', region, answer: 'ok' }])),
    profiles: both((region) => CUSTOMERS.map(({ user }) => ({ user, region, fields: user === 'ana' ? { bio: 'two', displayName: 'three' } : ({} as Record<string, string>), etag: `"${user}"` }))),
    tables: { account: { east: { digest: 'same', rows: 2 }, west: { digest: 'same', rows: 2 } } },
    aside: { east: { deadLetters: 0, conflicts: 0 }, west: { deadLetters: 0, conflicts: 0 } },
    boots: { east: { before: 'e', after: 'e' }, west: { before: 'w', after: 'w' } },
    money: soundMoney(both),
    equalMs: 300,
  };
}

/** Ana has paid Ben 100 at home and 50 from afar. */
function soundMoney(both: <T>(of: (region: string) => T[]) => T[]): FinalMoney {
  return {
    wallets: both((region) => [{ account: 'id-ana', region, balance: 850, deposited: 1_000 }, { account: 'id-ben', region, balance: 1_150, deposited: 1_000 }]),
    transfers: both((region) => [['t-1', 'o-1', 100, '09.010'], ['t-2', 'o-2', 50, '41.000']].map(([transfer, order, amount, second]) => ({ transfer: String(transfer), order: String(order), region, payer: 'id-ana', payee: 'id-ben', amount: Number(amount), status: 'settled', settledAt: `2026-11-21T12:00:${second}Z` }))),
    notifications: both((region) => ['t-1', 't-2'].flatMap((subject) => [{ account: 'id-ana', region, kind: 'transfer-settled', subject }, { account: 'id-ben', region, kind: 'transfer-received', subject }])),
    books: { east: { deposits: -1_000, account: 850, 'clearing:east>west': 150 }, west: { deposits: -1_000, account: 1_150, 'clearing:east>west': -150 } },
    balances: [{ region: 'east', posted: 850, balances: 850, lowest: 850 }, { region: 'west', posted: 1_150, balances: 1_150, lowest: 1_150 }],
  };
}
