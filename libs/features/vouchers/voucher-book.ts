import { type Part, insertion } from '#adapters/postgres';
import { hashedId } from '#kernel/ids';
import { IdempotencyKeyReusedError } from '#kernel/problems';
import type { GrantEvent, RedeemEvent } from '#kernel/wire';
import { type Notice, notificationRows } from '../notices/index.js';
import type { Issued, Ledger } from '../wallets/index.js';

/** A voucher as its account's home granted it. */
export interface Voucher {
  readonly id: string;
  readonly account: string;
  readonly amount: number;
}

/** What is to be granted, once per account and key. */
export type Grant = Omit<GrantEvent, 'kind' | 'to'>;

/** What was known of the vouchers of one transaction when it began. */
export interface KnownVouchers {
  readonly vouchers: readonly Voucher[];
  readonly redeemed: readonly string[];
}

const VOUCHER = ['region text', 'slot smallint', 'id uuid', 'account uuid', 'amount bigint', 'memo text', 'incident uuid', 'granted_at timestamptz'];
const REDEMPTION = ['region text', 'slot smallint', 'id uuid', 'account uuid', 'redeemed_at timestamptz'];
const VOUCHERS = `SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'account', account, 'amount', amount)), '[]') FROM voucher WHERE region = $1 AND id = ANY ($2::uuid[])`;
const REDEEMED = `SELECT coalesce(jsonb_agg(id), '[]') FROM voucher_redemption WHERE region = $1 AND id = ANY ($2::uuid[])`;

/** The id of a voucher: the same grant asked in two regions is one. */
export function voucherId(account: string, key: string): string {
  return hashedId('voucher', account, key);
}

/** The parts that read what is known here of these vouchers, after the ledger's. */
export function voucherParts(own: string, ids: readonly string[]): [Part, Part] {
  return [{ name: 'vouchers', text: VOUCHERS, values: [own, ids] }, { name: 'redeemed', text: REDEEMED, values: [own, ids] }];
}

export function vouchersFrom([vouchers, redeemed]: readonly unknown[]): KnownVouchers {
  return { vouchers: vouchers as Voucher[], redeemed: redeemed as string[] };
}

/** What one transaction grants and redeems at the account's home, in memory; `parts` writes it. Pure. */
export class VoucherBook {
  private readonly vouchers: Map<string, Voucher>;
  private readonly redeemed: Set<string>;
  private readonly granted: (Voucher & Grant)[] = [];
  private readonly redemptions: Voucher[] = [];

  constructor(
    private readonly ledger: Ledger,
    known: KnownVouchers,
    private readonly now: string,
  ) {
    this.vouchers = new Map(known.vouchers.map((voucher) => [voucher.id, voucher]));
    this.redeemed = new Set(known.redeemed);
  }

  /**
   * Grants once per account and key; a voucher counts as issued from then on.
   * @throws CapReachedError, IdempotencyKeyReusedError; Error where this region is not the account's home
   */
  grant(grant: Grant, issued: Issued): Voucher {
    if (!this.ledger.isHome(grant.account)) throw new Error(`this region is not the home of ${grant.account}`);
    const id = voucherId(grant.account, grant.key);
    const earlier = this.vouchers.get(id);
    if (earlier !== undefined && earlier.amount !== grant.amount) throw new IdempotencyKeyReusedError();
    if (earlier !== undefined) return earlier;
    issued.add('vouchers', grant.amount);
    const voucher = { id, ...grant };
    this.vouchers.set(id, voucher);
    this.granted.push(voucher);
    return voucher;
  }

  /**
   * Credits the wallet, once.
   * @returns false where it had been redeemed before
   * @throws Error where the account has no such voucher
   */
  redeem({ voucher: id, account }: Omit<RedeemEvent, 'kind' | 'to'>): boolean {
    const voucher = this.vouchers.get(id);
    if (voucher?.account !== account) throw new Error(`${account} has no voucher ${id}`);
    if (this.redeemed.has(id)) return false;
    this.redeemed.add(id);
    this.redemptions.push(voucher);
    const to = this.ledger.creditSide(account, voucher.amount);
    this.ledger.post(hashedId('redeem', id), voucher.amount, { leg: 'source', book: 'vouchers' }, to, this.ledger.slotOf(account));
    return true;
  }

  parts(): Part[] {
    const { own } = this.ledger;
    const slot = (account: string): number => this.ledger.slotOf(account);
    const notices = this.granted.map(({ id, account, amount, memo }): Notice => ({
      account, slot: slot(account), kind: 'voucher-granted', subject: id, body: { voucher: id, amount, ...(memo === undefined ? {} : { memo }) }, at: this.now,
    }));
    return [
      ...insertion('voucher', VOUCHER, this.granted.map(({ id, account, amount, memo, incident }) => [own, slot(account), id, account, amount, memo ?? null, incident ?? null, this.now])),
      ...insertion('voucher_redemption', REDEMPTION, this.redemptions.map(({ id, account }) => [own, slot(account), id, account, this.now])),
      ...notificationRows(own, notices),
    ];
  }
}
