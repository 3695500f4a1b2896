import { type FieldError, ProblemError } from './problem-error.js';

/** What a 503 asks for when nothing better is known: a link or a part that comes back does so within seconds. */
const defaultRetryAfterSeconds = 1;

/** 400: the request has another form than the contract says; `errors` lists every fault that was found. */
export class InvalidRequestError extends ProblemError {
  override readonly code: string = 'invalid-request';
  override readonly status = 400;
  override readonly title = 'The request is invalid';
  readonly errors: FieldError[];

  constructor(errors: FieldError[], options?: ErrorOptions) {
    super(errors.map((error) => (error.path === '' ? error.message : `${error.path}: ${error.message}`)).join('; ') || 'The request is invalid', options);
    this.errors = errors;
  }

  override members(): Record<string, unknown> {
    return { errors: this.errors };
  }
}

/** 400: the identifier is neither a phone number nor an e-mail address. The message is public and doesn't repeat the identifier. */
export class InvalidIdentifierError extends InvalidRequestError {
  constructor(message: string) {
    super([{ path: 'identifier', message }]);
  }
}

/** 400: the call needs an `Idempotency-Key` of 1 to 128 visible characters. */
export class IdempotencyKeyRequiredError extends ProblemError {
  override readonly code = 'idempotency-key-required';
  override readonly status = 400;
  override readonly title = 'An Idempotency-Key is required';

  constructor(detail = 'Send an Idempotency-Key header of 1 to 128 visible characters') {
    super(detail);
  }
}

/** 401, said only at home or after home's word: the same answer whether the account is unknown or the password is wrong. */
export class InvalidCredentialsError extends ProblemError {
  override readonly code = 'invalid-credentials';
  override readonly status = 401;
  override readonly title = 'The credentials are wrong';

  constructor(detail = 'The identifier or the password is wrong') {
    super(detail);
  }
}

/** 401: no session, or one that has ended, or a token that we did not make. */
export class SessionInvalidError extends ProblemError {
  override readonly code = 'session-invalid';
  override readonly status = 401;
  override readonly title = 'The session is not valid';

  constructor(detail = 'The session is missing, unknown or has ended') {
    super(detail);
  }
}

/** 401: the region that made the session can't be reached, so the client signs in again here. */
export class SessionOriginUnavailableError extends ProblemError {
  override readonly code = 'session-origin-unavailable';
  override readonly status = 401;
  override readonly title = "The session's region can't be reached";
  readonly origin: string;
  /** Whose session it is; told to nobody. */
  readonly account: string | undefined;

  constructor(origin: string, account?: string, options?: ErrorOptions) {
    super(`The session was made in ${origin}, which can't be reached now: sign in again here`, options);
    this.origin = origin;
    this.account = account;
  }

  override members(): Record<string, unknown> {
    return { origin: this.origin, regenerate: true };
  }
}

/** 403, on the peer listener only: the caller's certificate doesn't allow what it asked, or what it vouches for isn't its own. */
export class PeerRefusedError extends ProblemError {
  override readonly code = 'peer-refused';
  override readonly status = 403;
  override readonly title = 'The peer may not do this';

  /** @param reason told to the peer, where it can do something about it */
  constructor(
    detail = 'The peer may not do this',
    readonly reason?: string,
  ) {
    super(detail);
  }

  override members(): Record<string, unknown> {
    return this.reason === undefined ? {} : { reason: this.reason };
  }
}

/** 404: not there, or somebody else's. */
export class NotFoundError extends ProblemError {
  override readonly code = 'not-found';
  override readonly status = 404;
  override readonly title = 'Not found';

  constructor(detail = 'There is nothing here') {
    super(detail);
  }
}

/** 408: the request did not arrive whole in time; its connection is closed. */
export class RequestTimeoutError extends ProblemError {
  override readonly code = 'request-timeout';
  override readonly status = 408;
  override readonly title = 'The request took too long to arrive';

  constructor(detail = 'Send the whole request within 10 seconds') {
    super(detail);
  }
}

/** 409: an account with this identifier exists. */
export class IdentifierTakenError extends ProblemError {
  override readonly code = 'identifier-taken';
  override readonly status = 409;
  override readonly title = 'The identifier is taken';

  constructor(detail = 'An account with this identifier exists') {
    super(detail);
  }
}

/** 409: the same Idempotency-Key came with another body. */
export class IdempotencyKeyReusedError extends ProblemError {
  override readonly code = 'idempotency-key-reused';
  override readonly status = 409;
  override readonly title = 'The Idempotency-Key was used for another request';

  constructor(detail = 'This Idempotency-Key was used with another body') {
    super(detail);
  }
}

/** 412: `If-Match` names another content than the one here. */
export class PreconditionFailedError extends ProblemError {
  override readonly code = 'precondition-failed';
  override readonly status = 412;
  override readonly title = 'The content has changed';

  constructor(detail = 'If-Match names another version than the present one') {
    super(detail);
  }
}

/** 413: more than 64 KiB. */
export class BodyTooLargeError extends ProblemError {
  override readonly code = 'body-too-large';
  override readonly status = 413;
  override readonly title = 'The body is too large';

  constructor(detail = 'A body may have up to 64 KiB') {
    super(detail);
  }
}

/** 415: neither JSON nor, for patches, a JSON merge patch. */
export class UnsupportedMediaTypeError extends ProblemError {
  override readonly code = 'unsupported-media-type';
  override readonly status = 415;
  override readonly title = 'The media type is not supported';

  constructor(detail = 'Send application/json') {
    super(detail);
  }
}

/** 431: the headers are too many, or larger than 16 KiB together; the connection is closed. */
export class HeadersTooLargeError extends ProblemError {
  override readonly code = 'headers-too-large';
  override readonly status = 431;
  override readonly title = 'The headers are too large';

  constructor(detail = 'Send at most 100 headers of 16 KiB together') {
    super(detail);
  }
}

/** 422: the password is too short, too common or made of the identifier; the detail says which, and never repeats it. */
export class WeakPasswordError extends ProblemError {
  override readonly code = 'weak-password';
  override readonly status = 422;
  override readonly title = 'The password is too weak';
}

/** 429: too many wrong attempts for this identifier or from this address. */
export class TooManyAttemptsError extends ProblemError {
  override readonly code = 'too-many-attempts';
  override readonly status = 429;
  override readonly title = 'Too many attempts';
  override readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super('Too many wrong attempts: wait and try again');
    this.retryAfterSeconds = wholeSeconds(retryAfterSeconds);
  }
}

/** 503: certainly not done, and never will be. Also the answer where a password isn't proven here and home wasn't asked. */
export class HomeUnavailableError extends ProblemError {
  override readonly code = 'home-unavailable';
  override readonly status = 503;
  override readonly title = "The account's home can't be reached";
  override readonly retryAfterSeconds: number;
  readonly home: string;

  constructor(home: string, retryAfterSeconds = defaultRetryAfterSeconds, options?: ErrorOptions) {
    super(`This needs ${home}, which can't be reached now: it was not done`, options);
    this.home = home;
    this.retryAfterSeconds = wholeSeconds(retryAfterSeconds);
  }

  override members(): Record<string, unknown> {
    return { home: this.home };
  }
}

/** 503: sent to the home and not answered in time; a repetition with the same Idempotency-Key tells. */
export class OutcomeUnknownError extends ProblemError {
  override readonly code = 'outcome-unknown';
  override readonly status = 503;
  override readonly title = 'The outcome is unknown';
  override readonly retryAfterSeconds: number;
  readonly home: string;

  constructor(home: string, retryAfterSeconds = defaultRetryAfterSeconds, options?: ErrorOptions) {
    super(`Sent to ${home} and not answered: repeat it with the same Idempotency-Key`, options);
    this.home = home;
    this.retryAfterSeconds = wholeSeconds(retryAfterSeconds);
  }

  override members(): Record<string, unknown> {
    return { home: this.home };
  }
}

/** 503: a part of this region (`postgres`, `redis`, `kafka`) is gone. */
export class UnavailableError extends ProblemError {
  override readonly code = 'unavailable';
  override readonly status = 503;
  override readonly title = 'A part of this region is unavailable';
  override readonly retryAfterSeconds: number;
  readonly part: string;

  constructor(part: string, retryAfterSeconds = defaultRetryAfterSeconds, options?: ErrorOptions & { detail?: string | undefined }) {
    super(options?.detail ?? `${part} is not available in this region now`, options);
    this.part = part;
    this.retryAfterSeconds = wholeSeconds(retryAfterSeconds);
  }

  override members(): Record<string, unknown> {
    return { part: this.part };
  }
}

/** 503: refused before any work, because a bounded queue or share is full. */
export class OverloadedError extends ProblemError {
  override readonly code = 'overloaded';
  override readonly status = 503;
  override readonly title = 'Too much at once';
  override readonly retryAfterSeconds: number;

  constructor(detail = 'Too many requests are under way: try again', retryAfterSeconds = defaultRetryAfterSeconds) {
    super(detail);
    this.retryAfterSeconds = wholeSeconds(retryAfterSeconds);
  }
}

/** `Retry-After` takes whole seconds, and 0 would make clients come back in a loop. */
function wholeSeconds(seconds: number): number {
  return Math.max(1, Math.ceil(seconds));
}
