/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** What comes after it; null at the end. */
  readonly next: string | null;
}
