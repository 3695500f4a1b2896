import { type Database, base64UrlText, isoText } from '#adapters/postgres';
import { isUuid } from '#kernel/ids';
import { InvalidRequestError } from '#kernel/problems';
import type { OrderEvent } from '#kernel/wire';

/** A page of orders, as their events were. */
export interface OrderPage {
  readonly items: readonly OrderEvent[];
  /** Goes into the next call; null at the end. */
  readonly next: string | null;
}

/** Rows of one page. */
const PAGE = 1_000;
const FIRST = '00000000-0000-0000-0000-000000000000';

/** In each payer's order, which the home keeps. */
const REQUESTS = {
  name: 'state-requests',
  text: `SELECT payer, version::float8 AS version, jsonb_strip_nulls(jsonb_build_object('kind', 'request', 'to', home, 'id', id, 'payer', payer, 'payee', payee, 'payeeHome', payee_home,
           'amount', amount, 'memo', memo, 'key', ${base64UrlText('key')}, 'session', ${base64UrlText('session')}, 'epoch', epoch, 'acceptedBy', region, 'requestedAt', ${isoText('requested_at')})) AS item
         FROM transfer_request r WHERE region = $1 AND home = $2 AND (payer, version) > ($3, $4::bigint)
           AND NOT EXISTS (SELECT FROM transfer_decision d WHERE d.id = r.id) ORDER BY payer, version LIMIT ${PAGE}`,
};
const CREDITS = {
  name: 'state-credits',
  text: `SELECT id, jsonb_strip_nulls(jsonb_build_object('kind', 'credit', 'to', payee_home, 'id', id, 'payer', payer, 'payee', payee, 'amount', amount, 'memo', memo,
           'decidedAt', ${isoText('decided_at')})) AS item
         FROM transfer_decision WHERE region = $1 AND payee_home = $2 AND payee_home <> region AND outcome = 'settled' AND id > $3 ORDER BY id LIMIT ${PAGE}`,
};
const REDEEMS = {
  name: 'state-redeems',
  text: `SELECT q.id, jsonb_build_object('kind', 'redeem', 'to', a.home, 'voucher', q.id, 'account', q.account) AS item FROM redeem_request q JOIN account a ON a.id = q.account
         WHERE q.region = $1 AND a.home = $2 AND q.id > $3 AND NOT EXISTS (SELECT FROM voucher_redemption r WHERE r.id = q.id) ORDER BY q.id LIMIT ${PAGE}`,
};

/**
 * What the orders stream led to at its writer, for a peer whose events are gone on both sides: its undecided requests to that
 * peer, its debits for payees there, its redeem requests. Carrying out what is known already has no effect. Cancels and
 * grants leave no row at their writer; who asked for them asks again, and the home does each once.
 */
export class OrderState {
  constructor(
    private readonly database: Database,
    private readonly own: string,
  ) {}

  /** @param after what the page before gave as `next`, the lowest id at first */
  async page(peer: string, after: string): Promise<OrderPage> {
    const [part, id, version] = after === FIRST ? ['requests', FIRST, '0'] : after.split(':');
    if (id === undefined || !isUuid(id)) throw new InvalidRequestError([{ path: 'after', message: 'is not what a page gave as next' }]);
    if (part === 'requests') return this.requests(peer, id, Number(version));
    return part === 'credits' ? this.credits(peer, id) : this.redeems(peer, id);
  }

  private async requests(peer: string, payer: string, above: number): Promise<OrderPage> {
    const rows = await this.database.query<{ payer: string; version: number; item: OrderEvent }>(REQUESTS, [this.own, peer, payer, above]);
    const last = rows.at(-1);
    return { items: rows.map(({ item }) => item), next: rows.length < PAGE ? `credits:${FIRST}` : `requests:${last!.payer}:${last!.version}` };
  }

  private async credits(peer: string, after: string): Promise<OrderPage> {
    const rows = await this.database.query<{ id: string; item: OrderEvent }>(CREDITS, [this.own, peer, after]);
    return { items: rows.map(({ item }) => item), next: rows.length < PAGE ? `redeems:${FIRST}` : `credits:${rows.at(-1)!.id}` };
  }

  private async redeems(peer: string, after: string): Promise<OrderPage> {
    const rows = await this.database.query<{ id: string; item: OrderEvent }>(REDEEMS, [this.own, peer, after]);
    return { items: rows.map(({ item }) => item), next: rows.length < PAGE ? null : `redeems:${rows.at(-1)!.id}` };
  }
}
