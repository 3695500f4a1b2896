import type { Database } from '#adapters/postgres';
import type { ConsistencyVersions } from '#kernel/ids';
import { NEWEST, type Page, decodeCursor, pageOf } from '#kernel/pages';
import { type ReadYourWrites, type RowsRead, type VersionedRow, worstOf } from '../consistency/index.js';

/** A voucher as a client is told it. */
export interface VoucherView {
  readonly id: string;
  readonly amount: number;
  readonly currency: string;
  readonly memo?: string;
  readonly incident?: string;
  readonly grantedAt: string;
  /** `queued`: asked for in a region that could not reach home. */
  readonly status: 'granted' | 'queued' | 'redeemed';
  readonly redeemedAt?: string;
}

/** What a peer answers of its own rows. */
export interface VouchersAnswer {
  readonly version: number;
  readonly vouchers: readonly VoucherView[];
}
type VouchersRow = VersionedRow & VouchersAnswer;

/** What a peer answers of the redeem requests that it took: none of them ever goes, so that their number is their version. */
export interface RedeemsAnswer {
  readonly version: number;
  readonly vouchers: readonly string[];
}
type RedeemsRow = VersionedRow & RedeemsAnswer;

interface Row {
  readonly id: string;
  readonly amount: number;
  readonly memo: string | null;
  readonly incident: string | null;
  readonly granted_at: Date;
  readonly redeemed_at: Date | null;
  readonly asked: boolean;
}

const COLUMNS = `
  SELECT v.id, v.amount::float8 AS amount, v.memo, v.incident, v.granted_at,
    (SELECT r.redeemed_at FROM voucher_redemption r WHERE r.region = v.region AND r.id = v.id) AS redeemed_at,
    EXISTS (SELECT FROM redeem_request q WHERE q.region = ANY ($2) AND q.id = v.id) AS asked
  FROM voucher v WHERE v.region = ANY ($2) AND v.account = $1`;
const ONE = { name: 'voucher', text: `${COLUMNS} AND v.id = $3` };
const PAGE = { name: 'vouchers-page', text: `${COLUMNS} AND (v.granted_at, v.id) < ($3, $4) ORDER BY v.granted_at DESC, v.id DESC LIMIT $5` };
const OTHERS = { name: 'voucher-of-others', text: 'SELECT 1 FROM voucher WHERE region = ANY ($2) AND id = $3 AND account <> $1' };
const VERSIONS = { name: 'wallet-versions-of-vouchers', text: 'SELECT region, version::float8 AS version FROM balance WHERE region = ANY ($2) AND account = $1' };
const REQUESTS = { name: 'redeem-requests', text: 'SELECT id FROM redeem_request WHERE region = $1 AND account = $2' };
const REQUEST_VERSIONS = { name: 'redeem-versions', text: 'SELECT region, count(*)::int AS version FROM redeem_request WHERE region = ANY ($1) AND account = $2 GROUP BY region' };
/** Most vouchers that a second read brings: newer than any page shows. */
const FETCHED = 200;

/** Reads vouchers: what the home granted, what was asked where, what the home credited. */
export class ReadVouchers {
  constructor(
    private readonly own: { region: string; regions: readonly string[]; currency: string },
    private readonly database: Database,
    private readonly readYourWrites: ReadYourWrites,
  ) {}

  async one(account: string, id: string): Promise<VoucherView | undefined> {
    const [row] = await this.database.query<Row>(ONE, [account, this.own.regions, id]);
    return row && this.view(row);
  }

  /** Whether it is known here as another account's. */
  async isOthers(account: string, id: string): Promise<boolean> {
    return (await this.database.query(OTHERS, [account, this.own.regions, id])).length > 0;
  }

  /** @throws InvalidRequestError for an `after` that no page gave */
  async list(account: string, limit: number, after: string | undefined, token: ConsistencyVersions | undefined): Promise<Page<VoucherView> & { read: RowsRead }> {
    const from = after === undefined ? NEWEST : decodeCursor(after);
    const read = () => this.database.query<{ region: string; version: number }>(VERSIONS, [account, this.own.regions]);
    const versions = async (): Promise<VouchersRow[]> => (await read()).map((row) => ({ ...row, vouchers: [] }));
    const [promised, asked] = await Promise.all([
      this.readYourWrites.rows<VouchersRow>('wallet', token, account, versions, '/peer/v1/rows/vouchers', { account }), this.promisedRequests(account, token),
    ]);
    const fetched = new Map(promised.rows.flatMap(({ vouchers }) => vouchers).map((voucher) => [voucher.id, voucher]));
    const rows = await this.database.query<Row>(PAGE, [account, this.own.regions, from.at, from.id, limit + 1]);
    const vouchers = rows.map((row) => {
      const view = fetched.get(row.id) ?? this.view(row);
      // The home may not know yet that it is asked for it.
      return view.status === 'granted' && (row.asked || asked.ids.has(row.id)) ? { ...view, status: 'queued' as const } : view;
    });
    return { ...pageOf(vouchers, limit, ({ grantedAt }) => grantedAt), read: worstOf([promised.read, asked.read]) };
  }

  /** The redeem requests that this region has taken of an account, for itself and for a peer's second read. */
  async ownRequests(account: string): Promise<RedeemsAnswer> {
    const rows = await this.database.query<{ id: string }>(REQUESTS, [this.own.region, account]);
    return { version: rows.length, vouchers: rows.map(({ id }) => id) };
  }

  /** The home's side of a second read. */
  async ownRows(account: string): Promise<VouchersAnswer> {
    const own = [this.own.region];
    const [row] = await this.database.query<{ version: number }>(VERSIONS, [account, own]);
    const rows = await this.database.query<Row>(PAGE, [account, own, NEWEST.at, NEWEST.id, FETCHED]);
    return { version: row?.version ?? 0, vouchers: rows.map((one) => this.view(one)) };
  }

  /** The requests that the token promises and replication has not brought. */
  private async promisedRequests(account: string, token: ConsistencyVersions | undefined): Promise<{ ids: ReadonlySet<string>; read: RowsRead }> {
    if (token?.account !== account || token.versions.redeem === undefined) return { ids: new Set(), read: 'local' };
    const versions = async (): Promise<RedeemsRow[]> => {
      const rows = await this.database.query<{ region: string; version: number }>(REQUEST_VERSIONS, [this.own.regions, account]);
      return rows.map((row) => ({ ...row, vouchers: [] }));
    };
    const { rows, read } = await this.readYourWrites.rows<RedeemsRow>('redeem', token, account, versions, '/peer/v1/rows/redeems', { account });
    return { ids: new Set(rows.flatMap(({ vouchers }) => vouchers)), read };
  }

  private view({ id, amount, memo, incident, granted_at, redeemed_at, asked }: Row): VoucherView {
    return {
      id, amount, currency: this.own.currency, ...(memo === null ? {} : { memo }), ...(incident === null ? {} : { incident }), grantedAt: granted_at.toISOString(),
      status: redeemed_at !== null ? 'redeemed' : asked ? 'queued' : 'granted', ...(redeemed_at === null ? {} : { redeemedAt: redeemed_at.toISOString() }),
    };
  }
}
