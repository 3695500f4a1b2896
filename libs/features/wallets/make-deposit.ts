import { type Peers, forwardWrite } from '#adapters/peer-client';
import { type Database, readParts, writeParts } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { hashedId } from '#kernel/ids';
import { HomeUnavailableError, IdempotencyKeyReusedError, NotFoundError } from '#kernel/problems';
import type { FindAccount } from '../accounts/index.js';
import { Issued, issuedPart } from './issued.js';
import { ledgerFrom, ledgerPart, transactMoney } from './open-ledger.js';

/** A deposit as it reaches the account's home. */
export interface Deposit {
  readonly account: string;
  readonly amount: number;
  readonly key: string;
}

/** What an operator is told of it. */
export interface Deposited {
  /** The ledger's entry. */
  readonly id: string;
  readonly account: string;
  readonly home: string;
  readonly amount: number;
  readonly currency: string;
  /** The wallet's balance now. */
  readonly balance: number;
}

const EARLIER = `SELECT to_jsonb(amount) FROM posting WHERE region = $1 AND entry = $2 AND leg = 'credit'`;

/** Deposits: asked in any region, made at the account's home, once per account and key. */
export class MakeDeposit {
  constructor(
    private readonly own: { region: string; currency: string; issuers: number },
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly accounts: FindAccount,
    private readonly peers: Peers,
  ) {}

  /**
   * @param asked with the account's id or identifier
   * @throws NotFoundError, CapReachedError, IdempotencyKeyReusedError; HomeUnavailableError (certainly not done),
   * OutcomeUnknownError; DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async deposit(asked: Deposit): Promise<Deposited> {
    const account = await this.accounts.find(asked.account, 'account');
    if (account === undefined) throw new NotFoundError('There is no such account');
    const deposit = { ...asked, account: account.id };
    if (account.home === this.own.region) return this.depositHere(deposit, () => true);
    return forwardWrite<Deposited>(this.peers, account.home, '/peer/v1/deposits', (deadline) => ({ ...deposit, deadline }), `deposit:${deposit.account}:${deposit.key}`);
  }

  /** @param mayStillHappen false once the caller's deadline has passed */
  async depositHere({ account, amount, key }: Deposit, mayStillHappen: () => boolean): Promise<Deposited> {
    const { region, currency, issuers } = this.own;
    const id = hashedId('deposit', account, key);
    const balance = await transactMoney(this.database, async (tx) => {
      const [read, issuedBefore, earlier] = await readParts(tx, [ledgerPart(region, [account]), issuedPart, { name: 'deposit', text: EARLIER, values: [region, id] }]);
      const ledger = ledgerFrom(region, read);
      if (!ledger.isHome(account)) throw new NotFoundError('This region is not the home of that account');
      if (earlier !== null && earlier !== amount) throw new IdempotencyKeyReusedError();
      if (earlier !== null) return ledger.amountOf(account);
      const issued = new Issued(issuedBefore, issuers);
      issued.add('deposits', amount);
      ledger.post(id, amount, { leg: 'source', book: 'deposits' }, { leg: 'credit', book: 'account', account }, ledger.slotOf(account));
      if (!mayStillHappen()) throw new HomeUnavailableError(region);
      await writeParts(tx, [...ledger.parts(new Date(this.clock.wallMs()).toISOString()), ...issued.parts()]);
      return ledger.amountOf(account);
    });
    return { id, account, home: region, amount, currency, balance };
  }
}
