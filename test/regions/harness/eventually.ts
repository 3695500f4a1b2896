/** How often a condition is looked at again: often enough to see states that last a moment, rarely enough to cost nothing. */
const LOOK_EVERY_MS = 20;

/**
 * Waits for `fn` to return without throwing, and returns what it returned.
 * @param withinMs generous: a promise's own bound is asserted by the test where there is one, a busy machine is not its matter
 * @throws the last error, with how long was waited
 */
export async function eventually<T>(fn: () => Promise<T> | T, withinMs = 20_000): Promise<T> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    try {
      return await fn();
    } catch (error) {
      if (performance.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      await new Promise((look) => setTimeout(look, LOOK_EVERY_MS));
    }
  }
}

/** Holds for as long as `fn` keeps passing; for what must *not* happen within a bound. */
export async function throughout(fn: () => Promise<void> | void, ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs) {
    await fn();
    await new Promise((look) => setTimeout(look, LOOK_EVERY_MS));
  }
}
