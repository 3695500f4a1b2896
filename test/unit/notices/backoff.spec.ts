import { expect, it } from 'vitest';
import { backoffMs } from '../../../libs/features/notices/backoff.js';

it('a delivery waits longer after each failure, and never longer than an hour', () => {
  const waits = Array.from({ length: 20 }, (_, index) => backoffMs(index + 1));
  expect(waits.slice(0, 4)).toEqual([1_000, 3_000, 9_000, 27_000]);
  waits.slice(1).forEach((wait, index) => expect(wait).toBeGreaterThanOrEqual(waits[index]!));
  expect(waits.at(-1)).toBe(3_600_000);
});
