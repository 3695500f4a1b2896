import { hash } from 'node:crypto';
import { hashedId } from '#kernel/ids';
import type { TransferOrder } from '#kernel/wire';

/** How a transfer can fail. */
export type FailureReason = 'insufficient-funds' | 'payee-unknown' | 'expired' | 'credential-superseded' | 'idempotency-key-reused';

/** What the payer's home decided, once and for ever. */
export interface Decision {
  readonly id: string;
  readonly payer: string;
  readonly payee: string;
  readonly payeeHome: string;
  readonly amount: number;
  readonly memo?: string;
  readonly outcome: 'settled' | 'failed' | 'cancelled';
  /** Set where it failed. */
  readonly reason?: FailureReason;
  readonly acceptedBy: string;
  /** ISO 8601. */
  readonly requestedAt: string;
  readonly decidedAt: string;
}

/** That the payee's home credited it, or put it aside. */
export interface Credit {
  readonly id: string;
  readonly creditedAt: string;
  readonly suspense: boolean;
}

/** What an order says, before anything is known of its payee's home or its session. */
export interface OrderContent {
  readonly payer: string;
  readonly payee: string;
  readonly amount: number;
  readonly memo?: string;
}

/** base64url of SHA-256 of a client's Idempotency-Key: what is kept and sent of it. */
export function digestOfKey(key: string): string {
  return hash('sha256', key, 'base64url');
}

/** The id of a transfer: a hash of payer, key and content, so that regions which can't ask each other give one order one id. */
export function transferId({ payer, payee, amount, memo }: OrderContent, key: string): string {
  return hashedId('transfer', payer, key, payee, amount, memo ?? null);
}

/** Whether an order's id is what it stands for: nobody can pass one off as another. */
export function isGenuine(order: TransferOrder): boolean {
  return order.id === transferId(order, order.key);
}
