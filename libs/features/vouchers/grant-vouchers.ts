import { type Database, readParts, writeParts } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { partitionOf } from '#kernel/routing';
import { PARTITIONS } from '#kernel/wire';
import type { FindAccount } from '../accounts/index.js';
import { Issued, issuedPart, ledgerFrom, ledgerPart, orderEvents, transactMoney } from '../wallets/index.js';
import { type Grant, VoucherBook, voucherId, voucherParts, vouchersFrom } from './voucher-book.js';

/** What an operator grants to each of these accounts (ids or identifiers), once per account and key. */
export interface AskedGrants {
  readonly accounts: readonly string[];
  readonly amount: number;
  readonly memo?: string | undefined;
  readonly incident?: string | undefined;
  readonly key: string;
}

/** What became of one of them; `sent` where the account's home will grant it. */
export interface Granted {
  readonly account: string;
  readonly status: 'granted' | 'sent' | 'unknown';
  readonly voucher?: string;
}

/** Compensation: vouchers granted at each account's home, asked in any region, in every state of the link. */
export class GrantVouchers {
  constructor(
    private readonly own: { region: string; issuers: number },
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly accounts: FindAccount,
    private readonly committed: (partition: number) => void,
  ) {}

  /**
   * All or none of what is granted here; what other homes grant is put into the outbox in the same transaction.
   * @throws CapReachedError, IdempotencyKeyReusedError, InvalidRequestError; HomeUnavailableError where an account is not known
   * here and whoever may know it can't be asked: then nothing was done
   */
  async grant({ accounts, amount, memo, incident, key }: AskedGrants): Promise<Granted[]> {
    const { region, issuers } = this.own;
    const found = await Promise.all(accounts.map(async (named) => ({ named, account: await this.accounts.find(named, 'accounts') })));
    const terms = { key, amount, ...(memo === undefined ? {} : { memo }), ...(incident === undefined ? {} : { incident }) };
    const known = new Map(found.flatMap(({ account }) => (account === undefined ? [] : [[account.id, account.home]])));
    const here = [...known].filter(([, home]) => home === region).map(([account]): Grant => ({ account, ...terms }));
    const away = [...known].filter(([, home]) => home !== region).map(([account, to]) => ({ kind: 'grant' as const, to, account, ...terms }));
    await transactMoney(this.database, async (tx) => {
      const read = await readParts(tx, [ledgerPart(region, here.map(({ account }) => account)), issuedPart, ...voucherParts(region, here.map(({ account }) => voucherId(account, key)))]);
      const now = new Date(this.clock.wallMs()).toISOString();
      const issued = new Issued(read[1], issuers);
      const book = new VoucherBook(ledgerFrom(region, read[0]), vouchersFrom(read.slice(2)), now);
      for (const grant of here) book.grant(grant, issued);
      await writeParts(tx, [...issued.parts(), ...book.parts(), ...orderEvents(away)]);
    });
    for (const { account } of away) this.committed(partitionOf(account, PARTITIONS));
    return found.map(({ named, account }) => {
      if (account === undefined) return { account: named, status: 'unknown' };
      return { account: account.id, status: account.home === region ? 'granted' : 'sent', voucher: voucherId(account.id, key) };
    });
  }
}
