/** What is wrong with a copy: the owner has the row and it is not here, or is other here; or it is here and the owner has none. */
export type Kind = 'missing' | 'different' | 'surplus';

/** A row's content and the transaction that wrote it there; undefined where there is no such row. */
export type Look = { readonly digest: string; readonly mark: string } | undefined;

/**
 * Four looks at one row, in this order: the copy, its owner, then (after a marker that the owner wrote after the second look
 * has been applied here) the copy again, and the owner again.
 */
export interface Looks {
  readonly copyBefore: Look;
  readonly ownerBefore: Look;
  readonly copyAfter: Look;
  readonly ownerAfter: Look;
}

/**
 * Lag is never a difference: the owner's row stood still from the second look to the fourth, and everything that the owner had
 * written by the second was applied here by the third; so the copy, which can't be ahead of the fourth, must have had that very
 * row. A surplus row must also have stood still here, or it might have come and gone at the owner in between. `again` where
 * the row changed meanwhile and is here as in neither look: nothing can be said. Pure; guarded by test/unit/audit/judge.spec.ts.
 */
export function judge({ copyBefore, ownerBefore, copyAfter, ownerAfter }: Looks): Kind | 'equal' | 'again' {
  if (copyAfter?.digest === ownerBefore?.digest || copyAfter?.digest === ownerAfter?.digest) return 'equal';
  if (ownerBefore?.mark !== ownerAfter?.mark) return 'again';
  if (ownerAfter !== undefined) return copyAfter === undefined ? 'missing' : 'different';
  return copyBefore?.mark === copyAfter?.mark ? 'surplus' : 'again';
}
