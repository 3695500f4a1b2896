import { describe, expect, it } from 'vitest';
import { isIsoTime } from '#kernel/wire';

const two = (n: number): string => String(n).padStart(2, '0');

describe('a time', () => {
  it('is taken exactly where its text is what the time itself is written as', () => {
    for (const year of ['1900', '2000', '2024', '2026', '9999']) {
      for (let month = 0; month <= 13; month += 1) {
        for (let day = 0; day <= 32; day += 1) {
          for (const clock of ['00:00:00.000', '23:59:59.999', '24:00:00.000', '12:60:00.000', '12:00:60.000']) {
            const text = `${year}-${two(month)}-${two(day)}T${clock}Z`;
            const ms = Date.parse(text);
            expect(isIsoTime(text), text).toBe(!Number.isNaN(ms) && new Date(ms).toISOString() === text);
          }
        }
      }
    }
  });
});
