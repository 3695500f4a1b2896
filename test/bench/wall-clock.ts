/**
 * The wall clock with parts of a millisecond: `Date.now()` has none, and PostgreSQL's commit times are of the same clock.
 * Made shortly before it is used, since the monotonic clock drifts from the wall clock.
 */
export function fineWallClock(): () => number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  const offsetMs = now - performance.now();
  return () => performance.now() + offsetMs;
}
