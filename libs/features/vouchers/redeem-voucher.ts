import { type Peers, forwardWrite } from '#adapters/peer-client';
import { type Database, type Part, readParts, writeParts } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import type { ConsistencyVersions } from '#kernel/ids';
import { HomeUnavailableError, NotFoundError, OutcomeUnknownError } from '#kernel/problems';
import { partitionOf, slotOf } from '#kernel/routing';
import { PARTITIONS } from '#kernel/wire';
import { ledgerFrom, ledgerPart, orderEvents, transactMoney } from '../wallets/index.js';
import type { ReadVouchers, VoucherView } from './read-vouchers.js';
import { VoucherBook, voucherParts, vouchersFrom } from './voucher-book.js';

/** What became of it: credited, or the home has still to be asked. */
export interface Redeemed {
  readonly status: 200 | 202;
  readonly view: VoucherView;
  readonly versions: ConsistencyVersions['versions'];
  readonly read: 'local' | 'second';
}

/** What the home answers. */
export interface RedeemedAtHome {
  readonly view: VoucherView;
  /** Version of the account's balance. */
  readonly version: number;
}

const REQUEST = `INSERT INTO redeem_request (region, slot, id, account, requested_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`;

/** Redeeming a voucher as its account asks for it, in any region: credited at home, once. */
export class RedeemVoucher {
  constructor(
    private readonly own: string,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly reading: ReadVouchers,
    private readonly peers: Peers,
    private readonly committed: (partition: number) => void,
  ) {}

  /**
   * @throws NotFoundError for what is not there or somebody else's; HomeUnavailableError where it is not known here and home
   * can't be asked; DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async redeem(account: { id: string; identifier: string; home: string }, voucher: string): Promise<Redeemed> {
    if (account.home === this.own) {
      const { view, version } = await this.redeemHere(account.id, voucher, () => true);
      return { status: 200, view, versions: { wallet: { [this.own]: version } }, read: 'local' };
    }
    const known = await this.reading.one(account.id, voucher);
    if (known === undefined && (await this.reading.isOthers(account.id, voucher))) throw new NotFoundError();
    if (known?.status === 'redeemed') return { status: 200, view: known, versions: {}, read: 'local' };
    try {
      const { view, version } = await forwardWrite<RedeemedAtHome>(this.peers, account.home, '/peer/v1/vouchers/redeem', (deadline) => ({ account: account.id, voucher, deadline }));
      return { status: 200, view, versions: { wallet: { [account.home]: version } }, read: 'second' };
    } catch (error) {
      const mayCome = error instanceof HomeUnavailableError || error instanceof OutcomeUnknownError;
      if (!mayCome || known === undefined) throw error;
      await this.ask(account, voucher);
      const { version } = await this.reading.ownRequests(account.id);
      return { status: 202, view: { ...known, status: 'queued' }, versions: { redeem: { [this.own]: version } }, read: 'local' };
    }
  }

  /**
   * At the account's home.
   * @param mayStillHappen false once the caller's deadline has passed
   */
  async redeemHere(account: string, voucher: string, mayStillHappen: () => boolean): Promise<RedeemedAtHome> {
    const version = await transactMoney(this.database, async (tx) => {
      const [read, ...known] = await readParts(tx, [ledgerPart(this.own, [account]), ...voucherParts(this.own, [voucher])]);
      const ledger = ledgerFrom(this.own, read);
      const vouchers = vouchersFrom(known);
      if (!vouchers.vouchers.some((one) => one.account === account)) throw new NotFoundError();
      const now = new Date(this.clock.wallMs()).toISOString();
      const book = new VoucherBook(ledger, vouchers, now);
      if (book.redeem({ voucher, account })) {
        this.database.reserve.mustHaveRoom();
        if (!mayStillHappen()) throw new HomeUnavailableError(this.own);
        await writeParts(tx, [...ledger.parts(now), ...book.parts()]);
      }
      return ledger.versionOf(account);
    });
    return { view: (await this.reading.one(account, voucher))!, version };
  }

  private async ask({ id, identifier, home }: { id: string; identifier: string; home: string }, voucher: string): Promise<void> {
    this.database.reserve.mustHaveRoom();
    const request: Part = { name: 'redeem request', text: REQUEST, values: [this.own, slotOf(identifier), voucher, id, new Date(this.clock.wallMs()).toISOString()] };
    await writeParts({ query: (statement, values) => this.database.write(statement, values) }, [request, ...orderEvents([{ kind: 'redeem', to: home, voucher, account: id }])]);
    this.committed(partitionOf(id, PARTITIONS));
  }
}
