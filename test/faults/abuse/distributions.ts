/**
 * Mann and Whitney's test: how many standard deviations the order of two samples is away from what one distribution would give. Ranks don't mind the
 * long tails that times have.
 */
export function differenceOf(some: readonly number[], others: readonly number[]): number {
  const all = [...some.map((value) => ({ value, some: true })), ...others.map((value) => ({ value, some: false }))].sort((a, b) => a.value - b.value);
  let rankSum = 0;
  for (let first = 0; first < all.length; ) {
    let next = first;
    while (next < all.length && all[next]!.value === all[first]!.value) next += 1;
    // Equal values share the mean of their ranks.
    const rank = (first + 1 + next) / 2;
    for (; first < next; first += 1) if (all[first]!.some) rankSum += rank;
  }
  const [n, m] = [some.length, others.length];
  const u = rankSum - (n * (n + 1)) / 2;
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
}
