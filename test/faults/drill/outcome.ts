import type { Answer } from '../../regions/harness/call.js';
import type { Kind, Outcome } from './history.js';

const PREFIX = 'urn:homeward:problem:';
/** The contract's list: slug and status. */
const STATUS_OF: Readonly<Record<string, number>> = {
  'invalid-request': 400, 'idempotency-key-required': 400, 'invalid-credentials': 401, 'session-invalid': 401, 'session-origin-unavailable': 401,
  'not-found': 404, 'payee-unknown': 404, 'identifier-taken': 409, 'idempotency-key-reused': 409, 'transfer-final': 409,
  'precondition-failed': 412, 'body-too-large': 413, 'unsupported-media-type': 415, 'weak-password': 422, 'insufficient-funds': 422,
  'too-many-attempts': 429, 'home-unavailable': 503, 'outcome-unknown': 503, unavailable: 503, overloaded: 503,
};
const SESSION = ['session-invalid', 'session-origin-unavailable', 'unavailable', 'overloaded'];
const SIGN_IN = ['invalid-credentials', 'too-many-attempts', 'home-unavailable', 'unavailable', 'overloaded'];
/** What a well-formed request of each kind may be refused with. */
const PROBLEMS_OF: Readonly<Record<Kind, readonly string[]>> = {
  register: ['identifier-taken', 'home-unavailable', 'outcome-unknown', 'unavailable', 'overloaded'],
  'sign-in': SIGN_IN,
  'try-old-password': SIGN_IN,
  check: SESSION,
  'try-ended-session': SESSION,
  'read-profile': SESSION,
  'edit-profile': [...SESSION, 'outcome-unknown'],
  'change-password': [...SESSION, 'invalid-credentials', 'too-many-attempts', 'home-unavailable', 'outcome-unknown'],
  'sign-out': ['session-invalid', 'outcome-unknown', 'unavailable', 'overloaded'],
  'sign-out-all': ['session-invalid', 'outcome-unknown', 'unavailable', 'overloaded'],
  'read-wallet': SESSION,
  transfer: [...SESSION, 'payee-unknown', 'insufficient-funds', 'home-unavailable', 'outcome-unknown'],
};
/** Members that a problem carries, by slug. */
const MEMBERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'home-unavailable': { home: 'string' }, 'outcome-unknown': { home: 'string' }, unavailable: { part: 'string' },
  'session-origin-unavailable': { origin: 'string', regenerate: 'boolean' }, 'invalid-request': { errors: 'object' },
};
/** Of these a client can't tell whether they were done. */
const NOT_KNOWN = new Set(['outcome-unknown', 'unavailable']);

/** An answer, or none, as the history has it. */
export interface Judged {
  readonly outcome: Outcome;
  readonly status?: number;
  readonly problem?: string;
  readonly malformed?: string;
  readonly read?: string;
}

/** What an answer means to a client, and what of its form is not the contract's. @param answer undefined where none came */
export function judgeAnswer(kind: Kind, region: string, answer: Answer | undefined): Judged {
  if (answer === undefined) return { outcome: 'unknown' };
  const read = header(answer, 'homeward-read');
  const told = { status: answer.status, ...(read === undefined ? {} : { read }) };
  const by = header(answer, 'homeward-region');
  if (answer.status < 300) return { outcome: 'ok', ...told, ...(by === region ? {} : { malformed: `Homeward-Region is ${by}` }) };
  const type: unknown = answer.body?.type;
  const problem = typeof type === 'string' && type.startsWith(PREFIX) ? type.slice(PREFIX.length) : undefined;
  const malformed = faultOf(kind, answer, problem);
  const known = problem !== undefined && problem in STATUS_OF && answer.status === STATUS_OF[problem] && !NOT_KNOWN.has(problem);
  return { outcome: known ? 'refused' : 'unknown', ...told, ...(problem === undefined ? {} : { problem }), ...(malformed === undefined ? {} : { malformed }) };
}

/** @returns why this is not one of the typed problems that the contract lists for the call */
function faultOf(kind: Kind, answer: Answer, problem: string | undefined): string | undefined {
  const { body, status } = answer;
  if (problem === undefined) return `${status} without a problem type: ${answer.text.slice(0, 200)}`;
  if (STATUS_OF[problem] !== status) return `${problem} with status ${status}`;
  if (!PROBLEMS_OF[kind].includes(problem)) return `${problem} is not among the answers of ${kind}: ${answer.text.slice(0, 200)}`;
  if (!header(answer, 'content-type')?.startsWith('application/problem+json')) return `${problem} as ${header(answer, 'content-type')}`;
  if (body.status !== status || typeof body.title !== 'string' || typeof body.detail !== 'string') return `${problem} without status, title or detail`;
  if (body.instance !== header(answer, 'x-request-id')) return `${problem} whose instance is not the request's id`;
  if ((status === 503 || status === 429) && !(Number(header(answer, 'retry-after')) > 0)) return `${problem} without Retry-After`;
  const missing = Object.entries(MEMBERS[problem] ?? {}).filter(([name, type]) => typeof body[name] !== type);
  return missing.length > 0 ? `${problem} without ${missing.map(([name]) => name).join(', ')}` : undefined;
}

function header({ headers }: Answer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
