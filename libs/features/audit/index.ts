export { AuditLog, summarize } from './audit-log.js';
export { Auditor } from './auditor.js';
export { OwnerAnswers } from './owner-answers.js';
export { reading } from './read-rows.js';
export { Repair } from './repair.js';
export { COMPARED_PUBLISHED } from './sources.js';
