import { describe, expect, it } from 'vitest';
import { decodeCursor, nextOf } from '#kernel/pages';

const ID = '01a1fe90-1cae-7457-8ff6-a35804e3ee0c';
const AT = '2026-11-21T14:43:45.627Z';
const text = (content: string): string => Buffer.from(content).toString('base64url');

describe('a page', () => {
  it('that is full tells where the next one goes on; one that is not is the last', () => {
    const items = [{ id: 'other', at: AT }, { id: ID, at: AT }];
    expect(decodeCursor(nextOf(items, 2, ({ at }) => at)!)).toEqual({ at: AT, id: ID });
    expect(nextOf(items, 3, ({ at }) => at)).toBe(null);
    expect(nextOf([], 1, () => AT)).toBe(null);
  });

  it.each(['', 'x', text(`${AT} x`), text(`2026-11-21 ${ID}`), text(`2026-02-30T00:00:00.000Z ${ID}`), text(`2026-13-01T00:00:00.000Z ${ID}`)])('that nobody gave is refused before the database is asked: %s', (after) => {
    expect(() => decodeCursor(after)).toThrow(expect.objectContaining({ errors: [expect.objectContaining({ path: 'after' })] }));
  });
});
