/** Calls at once when everybody is asked: hashing is the dearest part of them. */
const AT_ONCE = 4;

/** Does the work for each, a few at a time. @returns the results in the order of the items */
export async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const next = items.entries();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const [index, item] of next) results[index] = await work(item);
  }));
  return results;
}
