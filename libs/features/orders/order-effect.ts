import type { StreamEffect } from '#adapters/kafka';
import { type Transaction, readParts, writeParts } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import type { CancelEvent, CreditEvent, GrantEvent, OrderEvent, RedeemEvent, RequestEvent, StreamMessage } from '#kernel/wire';
import { TransferBook, knownFrom, knownParts } from '../transfers/index.js';
import { VoucherBook, voucherId, voucherParts, vouchersFrom } from '../vouchers/index.js';
import { Issued, type Ledger, issuedPart, ledgerFrom, ledgerPart, orGivenAgain } from '../wallets/index.js';

/** The orders of one batch by what is to be known for them. */
interface Sorted {
  readonly transfers: readonly (RequestEvent | CancelEvent)[];
  readonly credits: readonly CreditEvent[];
  readonly redeems: readonly RedeemEvent[];
  readonly grants: readonly GrantEvent[];
}

interface Books {
  readonly ledger: Ledger;
  readonly transfers: TransferBook;
  readonly vouchers: VoucherBook;
  readonly issued: Issued | undefined;
}

/** The orders stream's effect: what other regions ask of this one about money is done here, batch by batch, in their order. */
export class OrderEffect implements StreamEffect {
  readonly stream = 'orders';
  /** A payer's later order must not overtake an earlier one that is kept aside. */
  readonly followsDeadLetters = true;

  constructor(
    private readonly own: { region: string; regions: readonly string[]; expiryMs: number; issuers: number },
    private readonly clock: Clock,
    /** How far a peer's wall clock is ahead of this region's, as far as is known. */
    private readonly skewMs: (peer: string) => number,
    private readonly committed: () => void,
  ) {}

  /** A grant depends on nothing before it, and one that can't be made, perhaps never, must not hold up what an account is owed. */
  standsAlone({ payload }: StreamMessage): boolean {
    return (payload as OrderEvent).kind === 'grant';
  }

  /** @throws Error for an order that its writer may not give, or that can't be carried out here: it is kept aside */
  async applyBatch(tx: Transaction, messages: readonly StreamMessage[]): Promise<void> {
    await this.carryOut(tx, messages[0]!.writer, messages.map(({ payload }) => payload as OrderEvent));
  }

  applied(): void {
    this.committed();
  }

  /** Carries out what is meant for this region; each order has its effect once, however often it comes. */
  async carryOut(tx: Transaction, writer: string, events: readonly OrderEvent[]): Promise<void> {
    const ours = events.filter(({ to }) => to === this.own.region);
    if (ours.length > 0) await orGivenAgain(this.carryOutInOne(tx, writer, ours));
  }

  private async carryOutInOne(tx: Transaction, writer: string, events: readonly OrderEvent[]): Promise<void> {
    const now = new Date(this.clock.wallMs()).toISOString();
    const books = await this.open(tx, events, now);
    for (const event of cancelsFirst(events)) this.take(books, writer, event);
    const { ledger, transfers, vouchers, issued } = books;
    await writeParts(tx, [...ledger.parts(now), ...transfers.parts(), ...vouchers.parts(), ...(issued?.parts() ?? [])]);
  }

  /** Everything of the whole batch is locked first, in the order of the accounts, and read at once. */
  private async open(tx: Transaction, events: readonly OrderEvent[], now: string): Promise<Books> {
    const { region, regions, expiryMs, issuers } = this.own;
    const { transfers, credits, redeems, grants } = sort(events);
    const accounts = [...[...transfers, ...credits].flatMap(({ payer, payee }) => [payer, payee]), ...[...redeems, ...grants].map(({ account }) => account)];
    const vouchers = [...redeems.map(({ voucher }) => voucher), ...grants.map(({ account, key }) => voucherId(account, key))];
    const read = await readParts(tx, [
      ledgerPart(region, accounts), ...knownParts(region, transfers, credits.map(({ id }) => id)), ...voucherParts(region, vouchers), ...(grants.length > 0 ? [issuedPart] : []),
    ]);
    const ledger = ledgerFrom(region, read[0]);
    return {
      ledger,
      transfers: new TransferBook(ledger, knownFrom(read.slice(1, 4)), { regions, expiryMs, now }),
      vouchers: new VoucherBook(ledger, vouchersFrom(read.slice(4, 6)), now),
      issued: grants.length > 0 ? new Issued(read[6], issuers) : undefined,
    };
  }

  private take({ ledger, transfers, vouchers, issued }: Books, writer: string, event: OrderEvent): void {
    switch (event.kind) {
      case 'request':
        if (event.acceptedBy !== writer) throw new Error(`${writer} sent a request that ${event.acceptedBy} took`);
        transfers.request(event, this.waitedMs(event));
        break;
      case 'cancel':
        transfers.cancel(event);
        break;
      case 'credit':
        this.mustComeFromHome(ledger, writer, event);
        transfers.credit(event, writer);
        break;
      case 'redeem':
        vouchers.redeem(event);
        break;
      case 'grant':
        vouchers.grant(event, issued!);
    }
  }

  /** Only the payer's home debits, so only it may say that it did; where the payer is not known here, its word counts. */
  private mustComeFromHome(ledger: Ledger, writer: string, { payer }: CreditEvent): void {
    const home = ledger.account(payer)?.home;
    if (home !== undefined && home !== writer) throw new Error(`${writer} sent a credit, but the payer's home is ${home}`);
  }

  /** How long ago the order was given, by this region's clock: the giver's time is translated by the known skew (docs/decisions/0013). */
  private waitedMs({ acceptedBy, requestedAt }: RequestEvent): number {
    return this.clock.wallMs() - (Date.parse(requestedAt) - this.skewMs(acceptedBy));
  }
}

/** A cancel follows its request in the stream; where both have come by now, it is not too late for it. All else keeps its order. */
function cancelsFirst(events: readonly OrderEvent[]): OrderEvent[] {
  return [...events.filter(({ kind }) => kind === 'cancel'), ...events.filter(({ kind }) => kind !== 'cancel')];
}

function sort(events: readonly OrderEvent[]): Sorted {
  const of = <K extends OrderEvent['kind']>(...kinds: K[]) => events.filter((event): event is Extract<OrderEvent, { kind: K }> => (kinds as string[]).includes(event.kind));
  return { transfers: of('request', 'cancel'), credits: of('credit'), redeems: of('redeem'), grants: of('grant') };
}
