export { withRequestId, currentRequestId } from './context.js';
export { createLogger, type Logger } from './logger.js';
