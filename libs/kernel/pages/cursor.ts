import { isUuid } from '#kernel/ids';
import { InvalidRequestError } from '#kernel/problems';

/** Where a list of rows goes on that is sorted by time and id, newest first: behind this row. */
export interface Cursor {
  /** ISO 8601. */
  readonly at: string;
  readonly id: string;
}

const isoForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** The place before the first row, for PostgreSQL. */
export const NEWEST: Cursor = { at: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

/** The opaque text that a page gives as `next`. */
export function encodeCursor({ at, id }: Cursor): string {
  return Buffer.from(`${at} ${id}`).toString('base64url');
}

/** Reads what a client sends as `after`. Throws InvalidRequestError for what no page gave. */
export function decodeCursor(text: string): Cursor {
  const [at = '', id = ''] = Buffer.from(text, 'base64url').toString().split(' ');
  if (!isUuid(id) || !isoForm.test(at) || Number.isNaN(Date.parse(at))) throw new InvalidRequestError([{ path: 'after', message: 'is not what a page gave as next' }]);
  return { at, id };
}
