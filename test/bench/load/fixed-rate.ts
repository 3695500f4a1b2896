/** Latencies of one window at a fixed rate. */
export interface Window {
  /** From the moment when each call was due, in ms: a late generator counts too, so nothing is hidden by waiting. */
  readonly ms: number[];
  readonly failed: number;
}

/** Timers have steps of a millisecond: what is due by then is sent at once. */
const STEP_MS = 1;
/** More failures than this share, and the window says nothing about latency. */
const MOST_FAILED = 0.01;

/**
 * Calls `send` `perSecond` times a second for `seconds`, however long each takes.
 * @param send gets the number of the call, from 0; rejects for what is not the expected answer
 * @throws Error where more than a hundredth failed
 */
export async function atFixedRate(perSecond: number, seconds: number, send: (index: number) => Promise<unknown>): Promise<Window> {
  const count = Math.round(perSecond * seconds);
  const gapMs = 1_000 / perSecond;
  const ms: number[] = [];
  const underWay = new Set<Promise<void>>();
  let failed = 0;
  let failure: unknown;
  const startMs = performance.now();
  for (let next = 0; next < count; ) {
    const now = performance.now();
    for (; next < count && startMs + next * gapMs <= now; next += 1) {
      const dueMs = startMs + next * gapMs;
      const call = send(next).then(
        () => void ms.push(performance.now() - dueMs),
        (error: unknown) => {
          failed += 1;
          failure = error;
        },
      ).finally(() => underWay.delete(call));
      underWay.add(call);
    }
    if (next < count) await new Promise((resolve) => setTimeout(resolve, Math.max(STEP_MS, startMs + next * gapMs - performance.now())));
  }
  await Promise.all(underWay);
  if (failed > count * MOST_FAILED) throw new Error(`${failed} of ${count} calls failed`, { cause: failure });
  return { ms, failed };
}
