/** The own PostgreSQL could not be asked: certainly nothing was done. */
export class DatabaseUnavailableError extends Error {
  constructor(options?: ErrorOptions) {
    super('the database of this region can not be reached', options);
    this.name = 'DatabaseUnavailableError';
  }
}

/** The disk of the own PostgreSQL is full, or so nearly that clients' writes are refused: certainly nothing was done, and reads go on. */
export class DatabaseFullError extends DatabaseUnavailableError {
  constructor(options?: ErrorOptions) {
    super(options);
    this.message = "the disk of this region's database is nearly full";
    this.name = 'DatabaseFullError';
  }
}

/** A write was sent and not answered: it may have been done, and must be repeated with the same key to find out. */
export class DatabaseOutcomeUnknownError extends Error {
  constructor(options?: ErrorOptions) {
    super('the database of this region did not answer a write', options);
    this.name = 'DatabaseOutcomeUnknownError';
  }
}

/** A new database can't be made this region's own yet, for a reason that an operator is told. */
export class ClaimError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClaimError';
  }
}

/** What PostgreSQL itself said, with its SQLSTATE. Structural, since pg's class is not exported as a value everywhere. */
export interface StatementError extends Error {
  readonly code: string;
  readonly severity: string;
}

export function isStatementError(error: unknown): error is StatementError {
  return error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string' && error.code.length === 5;
}

/**
 * The server said no and did nothing: out of connections or memory (53), a statement that it cancelled (57014), not
 * accepting connections (57P03), read only (25006).
 */
export function isRefusal(error: StatementError): boolean {
  return /^(53|57014|57P03|25006)/.test(error.code);
}

/** What a refusal of the server's is to a caller. */
export function asRefusal(error: StatementError): DatabaseUnavailableError {
  return error.code === DISK_FULL ? new DatabaseFullError({ cause: error }) : new DatabaseUnavailableError({ cause: error });
}

const DISK_FULL = '53100';

/**
 * The server ended the connection: shut down or crashed (57P01, 57P02), its own trouble (08, 58), or anything that it
 * calls fatal or a panic, such as a disk too full for the next WAL file (53100). It may have done so right after a
 * commit, so a write that meets this is unknown.
 */
export function endsConnection(error: StatementError): boolean {
  return /^(57P01|57P02|08|58)/.test(error.code) || error.severity === 'FATAL' || error.severity === 'PANIC';
}
