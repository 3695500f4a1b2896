import { describe, expect, it } from 'vitest';
import { decodeCursor, pageOf } from '#kernel/pages';

const ID = '01a1fe90-1cae-7457-8ff6-a35804e3ee0c';
const AT = '2026-11-21T14:43:45.627Z';
const text = (content: string): string => Buffer.from(content).toString('base64url');

describe('a page', () => {
  it('tells where the next one goes on where there is more, and that it is the last where there is none', () => {
    const [newest, middle, oldest] = ['other', ID, 'third'].map((id) => ({ id, at: AT })) as [{ id: string; at: string }, { id: string; at: string }, { id: string; at: string }];
    const page = pageOf([newest, middle, oldest], 2, ({ at }) => at);
    expect(page.items).toEqual([newest, middle]);
    expect(decodeCursor(page.next!)).toEqual({ at: AT, id: ID });
    expect(pageOf([newest, middle], 2, ({ at }) => at)).toEqual({ items: [newest, middle], next: null });
    expect(pageOf([], 1, () => AT)).toEqual({ items: [], next: null });
  });

  it.each(['', 'x', text(`${AT} x`), text(`2026-11-21 ${ID}`), text(`2026-02-30T00:00:00.000Z ${ID}`), text(`2026-13-01T00:00:00.000Z ${ID}`)])('that nobody gave is refused before the database is asked: %s', (after) => {
    expect(() => decodeCursor(after)).toThrow(expect.objectContaining({ errors: [expect.objectContaining({ path: 'after' })] }));
  });
});
