export { Database, type Statement, type Transaction } from './database.js';
export { reserveOf, type DiskStatus } from './disk-reserve.js';
export { DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError, isStatementError, type StatementError } from './errors.js';
export { WrongRegionError } from './schema.js';
export { KEEP_ANSWER, REPLACE_EXPIRED, findAnswer, forgetOldAnswers, requestDigest, type KeptAnswer } from './idempotency.js';
export { schemaVersion } from './migrations/index.js';
export { type Part, insertion, readParts, writeParts } from './parts.js';
export { base64UrlText, isoText } from './texts.js';
