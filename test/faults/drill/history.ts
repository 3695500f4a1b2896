import { hash } from 'node:crypto';
import type { Fault } from './scenario.js';

/** Done; certainly not done; may have been done or not. */
export type Outcome = 'ok' | 'refused' | 'unknown';

/** What each kind of operation tells besides the call itself. Passwords, session tokens and identifiers are digests. */
export interface FactsOf {
  register: { readonly key: string; readonly password: string; readonly account?: string };
  'sign-in': { readonly password: string; readonly account?: string; readonly session?: string; readonly assurance?: string };
  check: SessionFacts;
  'read-profile': SessionFacts & { readonly seen?: Fields };
  'edit-profile': SessionFacts & { readonly field: string; readonly value: string | null; readonly seen?: Fields };
  'change-password': SessionFacts & { readonly key: string; readonly current: string; readonly next: string };
  'sign-out': SessionFacts;
  'sign-out-all': SessionFacts;
  'read-wallet': SessionFacts & { readonly balance?: number; readonly authoritative?: boolean };
  transfer: SessionFacts & { readonly key: string; readonly payee: string; readonly amount: number; readonly transfer?: string; readonly transferStatus?: string };
  /** A sign-in with a password that has been replaced, or that the service refused to take. */
  'try-old-password': FactsOf['sign-in'];
  /** A check of a session that has been ended. */
  'try-ended-session': SessionFacts;
}

/** The session that was presented, by its digest, the region that made it, and who presents it. */
export interface SessionFacts {
  readonly session: string;
  readonly origin: string;
  readonly device: string;
}

/** A profile as shown: plain fields by name, attributes as `attributes.<key>`. */
export type Fields = Readonly<Record<string, string>>;
export type Kind = keyof FactsOf;

/** What every operation has. Times are milliseconds since the drill began, by its monotonic clock. */
export interface Call {
  readonly region: string;
  /** The home of the user whom it is about, and the digest of the user's identifier. */
  readonly home: string;
  readonly user: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  /** Absent where no answer came. */
  readonly status?: number;
  /** The slug of a typed problem. */
  readonly problem?: string;
  /** Why the answer is not of the form that the contract gives it. */
  readonly malformed?: string;
  /** How the data was read, where the answer says so. */
  readonly read?: string;
}

/** One client operation, with its start, end and outcome. */
export type Operation<K extends Kind = Kind> = K extends Kind ? Call & { readonly kind: K } & FactsOf[K] : never;

/** A fault as it was really in force. */
export interface AppliedFault {
  readonly fault: Fault;
  /** Asked for, in force, asked to end, and gone (a part that was killed answers again). */
  readonly startMs: number;
  readonly inForceMs: number;
  readonly healMs: number;
  readonly endMs: number;
  /** From its end until everything written before was in every region; absent where another fault came first. */
  readonly caughtUpMs?: number;
}

export type Phase = 'control' | 'faults' | 'healed';

/** Everything that was seen from outside while a drill ran: plain data, complete for the checks. */
export interface History {
  readonly regions: readonly string[];
  readonly operations: readonly Operation[];
  readonly faults: readonly AppliedFault[];
  /** When the drill began, by the wall clock. */
  readonly beganAt: string;
  /** When the traffic began and ended, in ms since the drill began. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** A secret as the history may have it: enough to tell two apart, nothing to use. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'base64url').slice(0, 16);
}

/** The operations of one kind. */
export function ofKind<K extends Kind>(operations: readonly Operation[], ...kinds: readonly K[]): Operation<K>[] {
  return operations.filter((operation): operation is Operation<K> => (kinds as readonly string[]).includes(operation.kind));
}

/** The phase that a moment lies in. */
export function phaseAt({ faults }: Pick<History, 'faults'>, ms: number): Phase {
  if (faults.length === 0 || ms < Math.min(...faults.map(({ startMs }) => startMs))) return 'control';
  return ms <= Math.max(...faults.map(({ endMs }) => endMs)) ? 'faults' : 'healed';
}
