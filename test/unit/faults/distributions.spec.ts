import { describe, expect, it } from 'vitest';
import { differenceOf } from '../../faults/abuse/distributions.js';
import { Seeded } from '../../faults/drill/seeded.js';

/** Times of a kind: a base, noise, and now and then a long one. */
function times(random: Seeded, baseMs: number, count: number): number[] {
  return Array.from({ length: count }, () => baseMs + 5 * (random.next() + random.next() + random.next()) + (random.chance(0.05) ? 200 * random.next() : 0));
}

describe('the test of two distributions', () => {
  it('finds no difference where there is none, once in ten thousand times', () => {
    const random = new Seeded(1);
    const found = Array.from({ length: 2_000 }, () => Math.abs(differenceOf(times(random, 20, 60), times(random, 20, 60)))).filter((z) => z > 3.9);
    expect(found.length).toBeLessThanOrEqual(2);
  });

  it('finds a difference of a few milliseconds in each direction', () => {
    const random = new Seeded(2);
    for (let round = 0; round < 50; round += 1) {
      expect(differenceOf(times(random, 25, 60), times(random, 20, 60))).toBeGreaterThan(3.9);
      expect(differenceOf(times(random, 20, 60), times(random, 25, 60))).toBeLessThan(-3.9);
    }
  });

  it('counts equal values for neither', () => {
    expect(differenceOf([1, 1, 1, 1], [1, 1, 1, 1])).toBe(0);
  });
});
