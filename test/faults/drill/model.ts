import { type CredentialWrites } from './needs.js';
import { type History, type Operation, type Outcome, ofKind } from './history.js';

/** What one user asked for once, in as many attempts with one key as it took to learn the outcome. */
export interface Intent<K extends 'register' | 'change-password' | 'transfer'> {
  readonly key: string;
  readonly attempts: readonly Operation<K>[];
  readonly outcome: Outcome;
  readonly startMs: number;
  /** The end of the first attempt that was answered well; of the last attempt where none was. */
  readonly endMs: number;
  readonly first: Operation<K>;
}

/** One thing that ended sessions: where and when it was asked and answered. */
export interface Ending {
  readonly session: string;
  readonly origin: string;
  /** Where it was asked, and whose doing it was. */
  readonly region: string;
  readonly by: 'sign-out' | 'sign-out-all' | 'change-password' | 'old password';
  readonly user: string;
  readonly home: string;
  readonly endMs: number;
}

/** What must hold of users, as their own history tells it. Knows nothing of how the service works. */
export class Model {
  readonly registrations: readonly Intent<'register'>[];
  readonly changes: readonly Intent<'change-password'>[];
  readonly transfers: readonly Intent<'transfer'>[];
  readonly signIns: readonly Operation<'sign-in' | 'try-old-password'>[];
  readonly edits: readonly Operation<'edit-profile'>[];

  constructor(readonly history: Pick<History, 'operations'>) {
    this.registrations = intents(ofKind(history.operations, 'register'));
    this.changes = intents(ofKind(history.operations, 'change-password'));
    this.transfers = intents(ofKind(history.operations, 'transfer'));
    this.signIns = ofKind(history.operations, 'sign-in', 'try-old-password');
    this.edits = ofKind(history.operations, 'edit-profile');
  }

  /** The changes of one user's password, in order: a user changes one password after the other. */
  changesOf(user: string): Intent<'change-password'>[] {
    return this.changes.filter(({ first }) => first.user === user);
  }

  /** The passwords that may be in force at the end: one, where every outcome is known. */
  passwordsInForce(user: string): string[] {
    const registered = this.registrations.find(({ first, outcome }) => first.user === user && outcome !== 'refused');
    return this.changesOf(user).reduce<string[]>((inForce, { first, outcome }) => {
      if (outcome === 'refused') return inForce;
      return outcome === 'ok' ? [first.next] : [...inForce, first.next];
    }, registered === undefined ? [] : [registered.first.password]);
  }

  /** Everything that ended a session for certain, each session and ending by itself. */
  endings(): Ending[] {
    const made = this.signIns.flatMap((operation) => (operation.session === undefined ? [] : [{ ...operation, session: operation.session }]));
    const one = ofKind(this.history.operations, 'sign-out').filter(({ outcome }) => outcome === 'ok').map((operation) => ({ ...operation, by: 'sign-out' as const }));
    const all = ofKind(this.history.operations, 'sign-out-all').filter(({ outcome }) => outcome === 'ok').flatMap((operation) =>
      made.filter(({ user, endMs }) => user === operation.user && endMs < operation.startMs)
        .map(({ session, region: origin }) => ({ ...operation, session, origin, by: 'sign-out-all' as const })));
    const byChange = this.changes.filter(({ outcome }) => outcome === 'ok').flatMap((change) => {
      const { user, home, region, current } = change.first;
      const asking = new Set(change.attempts.map(({ session }) => session));
      const mine = made.filter((operation) => operation.user === user && !asking.has(operation.session));
      const before = mine.filter(({ endMs }) => endMs < change.startMs).map(({ session, region: origin }) => ({ session, origin, region, by: 'change-password' as const, user, home, endMs: change.endMs }));
      const withOld = mine.filter(({ password, endMs }) => password === current && endMs >= change.startMs)
        .map(({ session, region: origin, endMs }) => ({ session, origin, region, by: 'old password' as const, user, home, endMs: Math.max(endMs, change.endMs) }));
      return [...before, ...withOld];
    });
    return [...one, ...all, ...byChange];
  }

  /** Every write of what users sign in with. */
  credentialWrites(): CredentialWrites {
    const writes = new Map<string, { startMs: number; endMs: number }[]>();
    for (const { first, outcome, startMs, endMs } of [...this.registrations, ...this.changes]) {
      if (outcome !== 'refused') writes.set(first.user, [...(writes.get(first.user) ?? []), { startMs, endMs }]);
    }
    return writes;
  }
}

/** Attempts with one key are one intent: done where one was answered well, refused where all were. */
function intents<K extends 'register' | 'change-password' | 'transfer'>(operations: readonly Operation<K>[]): Intent<K>[] {
  const byKey = new Map<string, Operation<K>[]>();
  for (const operation of operations) byKey.set(operation.key, [...(byKey.get(operation.key) ?? []), operation]);
  return [...byKey].map(([key, unsorted]) => {
    const attempts = unsorted.toSorted((a, b) => a.startMs - b.startMs);
    const done = attempts.find(({ outcome }) => outcome === 'ok');
    const outcome = done !== undefined ? 'ok' : attempts.every((attempt) => attempt.outcome === 'refused') ? 'refused' : 'unknown';
    return { key, attempts, outcome, startMs: attempts[0]!.startMs, endMs: (done ?? attempts.at(-1)!).endMs, first: attempts[0]! };
  });
}
