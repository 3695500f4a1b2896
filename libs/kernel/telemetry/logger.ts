import { pino, type Logger } from 'pino';
import { currentRequestId } from './context.js';

/** JSON lines on standard output, each with the region and, in a request's work, its id. */
export function createLogger(options: { region: string; level: string }): Logger {
  return pino({
    level: options.level,
    base: { region: options.region },
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: () => {
      const requestId = currentRequestId();
      return requestId === undefined ? {} : { requestId };
    },
    // A secret that slips into a log object stays out of the log.
    redact: ['password', 'current', 'next', 'token', 'hash', '*.password', '*.token', '*.hash', 'req.headers.authorization'],
  });
}

export type { Logger };
