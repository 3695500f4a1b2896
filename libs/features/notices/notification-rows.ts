import { type Part, type Transaction, insertion, writeParts } from '#adapters/postgres';
import { hashedId } from '#kernel/ids';

export type NoticeKind =
  | 'transfer-settled' | 'transfer-failed' | 'transfer-overdue' | 'transfer-cancelled' | 'transfer-received' | 'password-changed' | 'voucher-granted';

/** What is to be told to one account. */
export interface Notice {
  readonly account: string;
  readonly slot: number;
  readonly kind: NoticeKind;
  /** What it is about: with kind and account it makes the id, so that the same thing told by two regions is told once. */
  readonly subject: string;
  /** What the text is made of; no identifiers, no secrets. */
  readonly body: Readonly<Record<string, unknown>>;
  /** ISO 8601; when it happened. */
  readonly at: string;
}

const COLUMNS = ['region text', 'slot smallint', 'id uuid', 'account uuid', 'kind text', 'subject uuid', 'body jsonb', 'created_at timestamptz'];

/**
 * The part of a statement that tells these in the transaction of what they tell; a notice told before is not told again.
 * In the order of their ids: two that write the same notices wait for each other, and never each for the other.
 */
export function notificationRows(own: string, notices: readonly Notice[]): Part[] {
  const rows = notices.map(({ account, slot, kind, subject, body, at }) => ({ id: notificationId(kind, account, subject), row: [account, kind, subject, JSON.stringify(body), at], slot }));
  const inOrder = rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  return insertion('notification', COLUMNS, inOrder.map(({ id, row, slot }) => [own, slot, id, ...row]), 'ON CONFLICT DO NOTHING');
}

/** The same as a statement of its own. */
export function writeNotifications(tx: Pick<Transaction, 'query'>, own: string, notices: readonly Notice[]): Promise<void> {
  return writeParts(tx, notificationRows(own, notices));
}

export function notificationId(kind: NoticeKind, account: string, subject: string): string {
  return hashedId('notification', kind, account, subject);
}
