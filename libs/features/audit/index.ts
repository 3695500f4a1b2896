export { AuditLog, summarize } from './audit-log.js';
export { Auditor } from './auditor.js';
export { OwnerAnswers } from './owner-answers.js';
export { Repair } from './repair.js';
