import type { Measurement } from '../bench.js';
import { catchUp } from './catch-up.js';
import { cut } from './cut.js';
import { endOfSession } from './end-of-session.js';
import { forwarded } from './forwarded.js';
import { growth } from './growth.js';
import { accountLag } from './account-lag.js';
import { profileLag } from './profile-lag.js';
import { memoryIdle, memoryLoaded } from './memory.js';
import { registration } from './registration.js';
import { sessionCheck } from './session-check.js';
import { signIn } from './sign-in.js';
import { transfers } from './transfers.js';

/** In order: memory before any load and after the heaviest, and what fills the databases last. */
export const measurements: readonly Measurement[] = [
  memoryIdle, signIn, sessionCheck, memoryLoaded, endOfSession, accountLag, profileLag, forwarded, cut, registration, transfers, growth, catchUp,
];
