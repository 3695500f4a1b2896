import { describeFuzzing } from './fuzzing.js';
import { sharedWorld } from './harness/index.js';

/** The quick share; test/faults/abuse.spec.ts has the long one. */
const RUNS = 80;
const world = sharedWorld();

describeFuzzing('what comes in', () => world, RUNS);
