import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/**
 * The two clocks of a process. `wallMs` is the time of day, may jump and may differ between regions; `monoMs` only ever goes forward and means
 * something only together with `bootId`, which is another one after each start of the process.
 */
export interface Clock {
  readonly bootId: string;
  wallMs(): number;
  monoMs(): number;
}

/** The machine's clocks. `offsetMs` shifts the wall clock alone: drills set it to show that nothing hangs on clocks that agree. */
export class SystemClock implements Clock {
  readonly bootId = randomBytes(12).toString('base64url');
  offsetMs: number;

  constructor(offsetMs = 0) {
    this.offsetMs = offsetMs;
  }

  /** Whole milliseconds since 1970, skew included. */
  wallMs(): number {
    return Date.now() + this.offsetMs;
  }

  /** Milliseconds since the process started, with fractions. node takes it from CLOCK_MONOTONIC, so setting the time of day doesn't move it. */
  monoMs(): number {
    return performance.now();
  }
}
