/**
 * The base of every error that a client, an operator or a peer may see. `code` is the slug of the contract and never changes; `members` are the extra
 * members that the contract names for it, in their order. What is not a ProblemError is a mistake of ours and shows as `internal`, without its text.
 */
export abstract class ProblemError extends Error {
  abstract readonly code: string;
  abstract readonly status: number;
  abstract readonly title: string;
  /** Whole seconds for `Retry-After`; only answers that may be repeated have it. */
  readonly retryAfterSeconds: number | undefined = undefined;

  constructor(detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = new.target.name;
  }

  /** The members that the contract names for this slug, in its order; empty for most. */
  members(): Record<string, unknown> {
    return {};
  }
}

/** One thing that is wrong with a request: where (a path such as `profile.bio`, empty for the body itself) and what, in words fit for a client. */
export interface FieldError {
  path: string;
  message: string;
}
