/** The own PostgreSQL could not be asked: certainly nothing was done. */
export class DatabaseUnavailableError extends Error {
  constructor(options?: ErrorOptions) {
    super('the database of this region can not be reached', options);
    this.name = 'DatabaseUnavailableError';
  }
}

/** A write was sent and not answered: it may have been done, and must be repeated with the same key to find out. */
export class DatabaseOutcomeUnknownError extends Error {
  constructor(options?: ErrorOptions) {
    super('the database of this region did not answer a write', options);
    this.name = 'DatabaseOutcomeUnknownError';
  }
}

/** What PostgreSQL itself said, with its SQLSTATE. Structural, since pg's class is not exported as a value everywhere. */
export interface StatementError extends Error {
  readonly code: string;
  readonly severity: string;
  readonly constraint?: string;
  readonly detail?: string;
}

export function isStatementError(error: unknown): error is StatementError {
  return error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string' && error.code.length === 5;
}

/**
 * SQLSTATE classes in which the server refused and nothing was done: shutting down or starting (57P), out of
 * connections or memory (53), connection trouble it named itself (08), a statement it cancelled (57014), read only (25006).
 */
export function isRefusal(error: StatementError): boolean {
  return /^(57|53|08|25006|58)/.test(error.code);
}
