import { type Database, readParts, writeParts } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { HomeUnavailableError } from '#kernel/problems';
import { partitionOf } from '#kernel/routing';
import { PARTITIONS, type TransferOrder } from '#kernel/wire';
import { ledgerFrom, ledgerPart, transactMoney } from '../wallets/index.js';
import { knownFrom, knownParts } from './known-transfers.js';
import type { Credit, Decision } from './order.js';
import { TransferBook } from './transfer-book.js';

/** A decision as the home answers it. */
export interface Decided {
  readonly decision: Decision;
  /** Where the payee was credited in the same transaction. */
  readonly credit?: Credit;
  /** False where it had been decided before: then there may be more to be known of it. */
  readonly isFresh: boolean;
  /** Version of the payer's balance, for consistency tokens. */
  readonly version: number;
}

/** The payer's home decides, in one transaction: balance, key, debit, and the payee's credit or what will bring it. */
export class DecideTransfer {
  constructor(
    private readonly own: { region: string; regions: readonly string[]; expiryMs: number },
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly committed: (partition: number) => void,
  ) {}

  /**
   * @param mayStillHappen false once the caller's deadline has passed; asked right before the effect
   * @throws SessionInvalidError, IdempotencyKeyReusedError; HomeUnavailableError past the deadline, and where this region is
   * not the payer's home; OverloadedError, DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  order(order: TransferOrder, mayStillHappen: () => boolean): Promise<Decided> {
    return this.decide(order, (book) => book.order(order), mayStillHappen);
  }

  /** The same for cancelling: decides that it doesn't happen, unless it was decided before. */
  cancel(order: TransferOrder, mayStillHappen: () => boolean): Promise<Decided> {
    return this.decide(order, (book) => book.cancel(order), mayStillHappen);
  }

  private async decide(order: TransferOrder, take: (book: TransferBook) => Decision, mayStillHappen: () => boolean): Promise<Decided> {
    const { region, regions, expiryMs } = this.own;
    const decided = await transactMoney(this.database, async (tx) => {
      const [read, ...known] = await readParts(tx, [ledgerPart(region, [order.payer, order.payee]), ...knownParts(region, [order], [])]);
      const ledger = ledgerFrom(region, read);
      // An account that another region knows and its home does not: nothing is decided here about it.
      if (!ledger.isHome(order.payer)) throw new HomeUnavailableError(region);
      const now = new Date(this.clock.wallMs()).toISOString();
      const book = new TransferBook(ledger, knownFrom(known), { regions, expiryMs, now });
      const decision = take(book);
      const isFresh = book.isFresh(decision);
      if (isFresh) {
        this.database.reserve.mustHaveRoom();
        if (!mayStillHappen()) throw new HomeUnavailableError(region);
        await writeParts(tx, [...ledger.parts(now), ...book.parts()]);
      }
      const credit = book.creditOf(decision.id);
      return { decision, isFresh, version: ledger.versionOf(order.payer), ...(credit === undefined ? {} : { credit }) };
    });
    const abroad = decided.isFresh && decided.decision.outcome === 'settled' && decided.decision.payeeHome !== region;
    if (abroad) this.committed(partitionOf(order.payee, PARTITIONS));
    return decided;
  }
}
