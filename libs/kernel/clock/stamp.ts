/**
 * The next stamp of an account's fields: max(wall clock, highest stamp seen here + 1), in integer microseconds since 1970. So an edit by somebody who
 * saw another beats it, whatever the clocks say (design.md, rule 2; test/unit/profiles/merge.spec.ts). It is given the highest stamp of that account
 * alone: a stamp far ahead never enters the region's own clock. Throws RangeError past 2^53 - 1, which no clock reaches before the year 2255.
 */
export function nextStamp(wallMs: number, highestSeen: number | undefined): number {
  const stamp = Math.max(Math.floor(wallMs * 1_000), (highestSeen ?? -1) + 1, 0);
  if (!Number.isSafeInteger(stamp)) throw new RangeError('No stamp is left after the highest one seen');
  return stamp;
}

/** A stamp as ISO 8601 in UTC with milliseconds, for `updatedAt`. */
export function stampToIso(stamp: number): string {
  return new Date(Math.floor(stamp / 1_000)).toISOString();
}
