import {
  BodyTooLargeError,
  HomeUnavailableError,
  IdempotencyKeyRequiredError,
  IdempotencyKeyReusedError,
  IdentifierTakenError,
  InvalidCredentialsError,
  InvalidRequestError,
  NotFoundError,
  OutcomeUnknownError,
  OverloadedError,
  PeerRefusedError,
  PreconditionFailedError,
  SessionInvalidError,
  SessionOriginUnavailableError,
  TooManyAttemptsError,
  UnavailableError,
  UnsupportedMediaTypeError,
  WeakPasswordError,
} from './errors.js';
import { CapReachedError, InsufficientFundsError, PayeeUnknownError, TransferFinalError } from './money-errors.js';
import { type FieldError, ProblemError } from './problem-error.js';

const PROBLEM_TYPE_PREFIX = 'urn:homeward:problem:';
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** What a peer's answer may put into one of our texts; longer ones are not ours. */
const maxTextLength = 1_000;
/** What a 429 or 503 asks for when the peer's header was not passed on. */
const fallbackRetryAfterSeconds = 1;

/** An RFC 9457 body: these members in this order, then those that the contract names for the slug. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  [member: string]: unknown;
}

/**
 * The answer for an error. Anything but a ProblemError answers 500 `internal` with fixed words, so that no message of a library or a query reaches a
 * client; the caller logs the error itself, under the same instance (the request id).
 */
export function toProblem(error: unknown, instance: string): { body: ProblemBody; status: number; headers: Record<string, string> } {
  const headers: Record<string, string> = { 'content-type': PROBLEM_MEDIA_TYPE };
  if (!(error instanceof ProblemError)) {
    return { body: internalProblem(instance), status: 500, headers };
  }
  if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(error.retryAfterSeconds);
  // RFC 9110 asks every 401 to name a scheme; Bearer opens no dialog in browsers.
  if (error.status === 401) headers['www-authenticate'] = 'Bearer';
  const body: ProblemBody = {
    type: PROBLEM_TYPE_PREFIX + error.code,
    title: error.title,
    status: error.status,
    detail: error.message,
    instance,
    ...error.members(),
  };
  return { body, status: error.status, headers };
}

/**
 * Rebuilds the typed error from a peer's answer, or undefined where it isn't one that we know (a newer peer's slug, a proxy's page, `internal`): the
 * caller treats that as a failed peer read, never as a decision. Detail texts are kept where they carry the reason; the others are made anew.
 */
export function fromProblem(status: number, body: unknown, retryAfterSeconds = fallbackRetryAfterSeconds): ProblemError | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { type, detail } = body as Record<string, unknown>;
  if (typeof type !== 'string' || !type.startsWith(PROBLEM_TYPE_PREFIX)) return undefined;
  const build = builders.get(type.slice(PROBLEM_TYPE_PREFIX.length));
  const error = build?.(body as Record<string, unknown>, text(detail), retryAfterSeconds);
  return error?.status === status ? error : undefined;
}

type Builder = (body: Record<string, unknown>, detail: string | undefined, retryAfterSeconds: number) => ProblemError | undefined;

const builders = new Map<string, Builder>([
  ['invalid-request', (body) => invalidRequest(body)],
  ['idempotency-key-required', (_body, detail) => new IdempotencyKeyRequiredError(detail)],
  ['invalid-credentials', () => new InvalidCredentialsError()],
  ['session-invalid', () => new SessionInvalidError()],
  ['session-origin-unavailable', (body) => withText(body['origin'], (origin) => new SessionOriginUnavailableError(origin))],
  ['peer-refused', (_body, detail) => new PeerRefusedError(detail)],
  ['not-found', (_body, detail) => new NotFoundError(detail)],
  ['identifier-taken', () => new IdentifierTakenError()],
  ['idempotency-key-reused', () => new IdempotencyKeyReusedError()],
  ['payee-unknown', () => new PayeeUnknownError()],
  ['insufficient-funds', () => new InsufficientFundsError()],
  ['transfer-final', () => new TransferFinalError()],
  ['cap-reached', (_body, detail) => withText(detail, (reason) => new CapReachedError(reason))],
  ['precondition-failed', () => new PreconditionFailedError()],
  ['body-too-large', (_body, detail) => new BodyTooLargeError(detail)],
  ['unsupported-media-type', (_body, detail) => new UnsupportedMediaTypeError(detail)],
  ['weak-password', (_body, detail) => withText(detail, (reason) => new WeakPasswordError(reason))],
  ['too-many-attempts', (_body, _detail, seconds) => new TooManyAttemptsError(seconds)],
  ['home-unavailable', (body, _detail, seconds) => withText(body['home'], (home) => new HomeUnavailableError(home, seconds))],
  ['outcome-unknown', (body, _detail, seconds) => withText(body['home'], (home) => new OutcomeUnknownError(home, seconds))],
  ['unavailable', (body, detail, seconds) => withText(body['part'], (part) => new UnavailableError(part, seconds, { detail }))],
  ['overloaded', (_body, detail, seconds) => new OverloadedError(detail, seconds)],
]);

function invalidRequest(body: Record<string, unknown>): InvalidRequestError | undefined {
  const { errors } = body;
  if (!Array.isArray(errors)) return undefined;
  const read: FieldError[] = [];
  for (const error of errors as unknown[]) {
    const { path, message } = (error ?? {}) as Record<string, unknown>;
    if (typeof path !== 'string' || typeof message !== 'string') return undefined;
    read.push({ path, message });
  }
  return new InvalidRequestError(read);
}

function withText<T>(value: unknown, build: (text: string) => T): T | undefined {
  const checked = text(value);
  return checked === undefined ? undefined : build(checked);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= maxTextLength ? value : undefined;
}

function internalProblem(instance: string): ProblemBody {
  return {
    type: `${PROBLEM_TYPE_PREFIX}internal`,
    title: 'Something went wrong here',
    status: 500,
    detail: 'The request could not be finished; its id finds it in the logs',
    instance,
  };
}
