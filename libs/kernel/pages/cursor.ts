import { isUuid } from '#kernel/ids';
import { InvalidRequestError } from '#kernel/problems';
import { isIsoTime } from '#kernel/wire';

/** Where a list of rows goes on that is sorted by time and id, newest first: behind this row. */
export interface Cursor {
  /** ISO 8601. */
  readonly at: string;
  readonly id: string;
}

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** What comes after it; null at the end. */
  readonly next: string | null;
}

/** The place before the first row, for PostgreSQL. */
export const NEWEST: Cursor = { at: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

/**
 * A page of these rows, which are one more than its limit where there is more: `next` is opaque, and goes on behind the last item.
 * @param at the time that the list is sorted by
 */
export function pageOf<T extends { readonly id: string }>(rows: readonly T[], limit: number, at: (item: T) => string): Page<T> {
  const items = rows.slice(0, limit);
  if (rows.length <= limit) return { items, next: null };
  const last = items.at(-1)!;
  return { items, next: Buffer.from(`${at(last)} ${last.id}`).toString('base64url') };
}

/** Reads what a client sends as `after`. Throws InvalidRequestError for what no page gave. */
export function decodeCursor(text: string): Cursor {
  const [at = '', id = ''] = Buffer.from(text, 'base64url').toString().split(' ');
  if (!isUuid(id) || !isIsoTime(at)) throw new InvalidRequestError([{ path: 'after', message: 'is not what a page gave as next' }]);
  return { at, id };
}
