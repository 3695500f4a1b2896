export { Database, type Statement, type Transaction } from './database.js';
export { reserveOf } from './disk-reserve.js';
export { ClaimError, DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError, isStatementError, type StatementError } from './errors.js';
export { KEEP_ANSWER, REPLACE_EXPIRED, findAnswer, forgetOldAnswers, requestDigest } from './idempotency.js';
export { schemaVersion } from './migrations/index.js';
export { type Part, insertion, readParts, writeParts } from './parts.js';
export { base64UrlText, isoText } from './texts.js';
