const FIRST_MS = 1_000;
const FACTOR = 3;
/** With 20 attempts a receiver may be away for half a day. */
const LONGEST_MS = 3_600_000;

/** How long a delivery waits after its attempt number `attempts` has failed. */
export function backoffMs(attempts: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * FACTOR ** (attempts - 1));
}
