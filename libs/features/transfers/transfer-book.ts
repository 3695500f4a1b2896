import { type Part, insertion } from '#adapters/postgres';
import { IdempotencyKeyReusedError, SessionInvalidError } from '#kernel/problems';
import type { CreditEvent, OrderEvent, TransferOrder } from '#kernel/wire';
import { type Notice, notificationRows } from '../notices/index.js';
import { type Ledger, type Side, clearing, orderEvents } from '../wallets/index.js';
import { type Credit, type Decision, type FailureReason, isGenuine } from './order.js';

/** What was known of the orders of one transaction when it began. */
export interface KnownTransfers {
  readonly decisions: readonly Decision[];
  /** Which transfer a payer's key stands for. */
  readonly keys: readonly { readonly payer: string; readonly key: string; readonly transfer: string }[];
  /** Which transfers were credited here. */
  readonly credited: readonly string[];
}

/** What the decisions go by, besides the ledger and the order. */
export interface Rules {
  readonly regions: readonly string[];
  readonly expiryMs: number;
  /** ISO 8601, by this region's clock. */
  readonly now: string;
}

/** What the region that credited a transfer knows of its debit. */
export interface LostDebit {
  readonly id: string;
  readonly payer: string;
  readonly payee: string;
  readonly amount: number;
  readonly memo?: string;
  /** ISO 8601. */
  readonly creditedAt: string;
}

const DECISION = [
  'region text', 'slot smallint', 'id uuid', 'payer uuid', 'payee uuid', 'payee_home text', 'amount bigint', 'memo text', 'outcome text', 'reason text', 'accepted_by text',
  'requested_at timestamptz', 'decided_at timestamptz',
];
const CREDIT = ['region text', 'slot smallint', 'id uuid', 'payee uuid', 'credited_at timestamptz', 'suspense boolean'];
const KEY = ['payer uuid', 'key bytea', 'transfer uuid'];

/**
 * The decisions of one transaction, taken in memory in the order of their orders; `parts` writes them. Pure: the same orders
 * on the same ledger decide the same (test/unit/transfers/decide.spec.ts). One way for all: an order asked online is a
 * list of one.
 */
export class TransferBook {
  private readonly decided: Map<string, Decision>;
  private readonly keys: Map<string, string>;
  private readonly creditedBefore: Set<string>;
  private readonly fresh: Decision[] = [];
  private readonly freshKeys: { payer: string; key: string; transfer: string }[] = [];
  private readonly credits = new Map<string, { credit: Credit; payee: string }>();
  private readonly notices: Notice[] = [];
  private readonly events: OrderEvent[] = [];

  constructor(
    private readonly ledger: Ledger,
    known: KnownTransfers,
    private readonly rules: Rules,
  ) {
    this.decided = new Map(known.decisions.map((decision) => [decision.id, decision]));
    this.keys = new Map(known.keys.map(({ payer, key, transfer }) => [`${payer} ${key}`, transfer]));
    this.creditedBefore = new Set(known.credited);
  }

  /**
   * An order whose client waits for the answer; one that was decided before is answered as it was.
   * @throws SessionInvalidError, IdempotencyKeyReusedError: then nothing is recorded of it
   */
  order(order: TransferOrder): Decision {
    this.mustBeOurs(order);
    const earlier = this.decided.get(order.id);
    if (earlier !== undefined) return earlier;
    if (this.isSuperseded(order)) throw new SessionInvalidError();
    if (this.isKeyTaken(order)) throw new IdempotencyKeyReusedError();
    return this.settle(order);
  }

  /**
   * An order that another region took because this one could not be asked.
   * @param waitedMs since it was ordered, by this region's clock
   */
  request(order: TransferOrder, waitedMs: number): Decision {
    this.mustBeOurs(order);
    const earlier = this.decided.get(order.id);
    if (earlier !== undefined) return earlier;
    if (this.isKeyTaken(order)) return this.conclude(order, 'failed', 'idempotency-key-reused');
    if (this.isSuperseded(order)) return this.conclude(order, 'failed', 'credential-superseded');
    if (waitedMs > this.rules.expiryMs) return this.conclude(order, 'failed', 'expired');
    return this.settle(order);
  }

  /** Where nothing was decided yet, that it doesn't happen: the decision stays, whenever the order itself comes. */
  cancel(order: TransferOrder): Decision {
    this.mustBeOurs(order);
    return this.decided.get(order.id) ?? this.conclude(order, 'cancelled');
  }

  /** What another region debited comes to its payee here, once; it is never refused (design, rule 6). */
  credit({ id, payer, payee, amount, memo }: CreditEvent, from: string): void {
    if (this.creditedBefore.has(id) || this.credits.has(id)) return;
    const to = this.ledger.creditSide(payee, amount);
    this.ledger.post(id, amount, clearing(from, this.ledger.own), to, this.ledger.slotOf(payee));
    this.noteCredit({ id, payer, payee, amount, ...(memo === undefined ? {} : { memo }) }, to);
  }

  /**
   * A debit that was lost here, as its credit elsewhere proves it. A balance is never negative: what the payer no longer has is
   * owed, and stands aside under the payer's id.
   */
  repost({ id, payer, payee, amount, memo, creditedAt }: LostDebit, payeeHome: string): 'known' | 'posted' | 'uncovered' {
    if (this.decided.has(id)) return 'known';
    const { own } = this.ledger;
    const covered = this.ledger.isHome(payer) && this.ledger.amountOf(payer) >= amount;
    this.ledger.post(id, amount, { leg: 'debit', book: covered ? 'account' : 'suspense', account: payer }, clearing(own, payeeHome), this.ledger.slotOf(payer));
    this.record({ id, payer, payee, payeeHome, amount, ...(memo === undefined ? {} : { memo }), outcome: 'settled', acceptedBy: own, requestedAt: creditedAt, decidedAt: creditedAt });
    return covered ? 'posted' : 'uncovered';
  }

  /** When and how a transfer was credited in this very transaction. */
  creditOf(id: string): Credit | undefined {
    return this.credits.get(id)?.credit;
  }

  /** Whether it was decided in this very transaction. */
  isFresh(decision: Decision): boolean {
    return this.fresh.includes(decision);
  }

  parts(): Part[] {
    const { own } = this.ledger;
    const decisions = this.fresh.map((decided) => [
      own, this.ledger.slotOf(decided.payer), decided.id, decided.payer, decided.payee, decided.payeeHome, decided.amount, decided.memo ?? null, decided.outcome,
      decided.reason ?? null, decided.acceptedBy, decided.requestedAt, decided.decidedAt,
    ]);
    const credits = [...this.credits.values()].map(({ credit: { id, creditedAt, suspense }, payee }) => [own, this.ledger.slotOf(payee), id, payee, creditedAt, suspense]);
    return [
      ...insertion('transfer_key', KEY, this.freshKeys.map(({ payer, key, transfer }) => [payer, Buffer.from(key, 'base64url'), transfer])),
      ...insertion('transfer_decision', DECISION, decisions),
      ...insertion('transfer_credit', CREDIT, credits),
      ...notificationRows(own, this.notices),
      ...orderEvents(this.events),
    ];
  }

  /** @throws Error for an order that this region can't decide: it is kept aside, whole */
  private mustBeOurs(order: TransferOrder): void {
    if (!this.ledger.isHome(order.payer)) throw new Error(`this region is not the home of the payer ${order.payer}`);
    if (!isGenuine(order)) throw new Error(`the order's content does not make its id ${order.id}`);
    if (order.payer === order.payee) throw new Error('the payee of the order is its payer');
  }

  /** Epochs are compared, never times; the session that changed the password goes on (design, rule 7). */
  private isSuperseded({ payer, epoch, session }: TransferOrder): boolean {
    const known = this.ledger.account(payer)!;
    return epoch < known.epoch && session !== known.keep;
  }

  private isKeyTaken({ id, payer, key }: TransferOrder): boolean {
    const owner = this.keys.get(`${payer} ${key}`);
    return owner !== undefined && owner !== id;
  }

  private settle(order: TransferOrder): Decision {
    const { own } = this.ledger;
    const payeeHome = this.ledger.account(order.payee)?.home ?? order.payeeHome;
    const isKnown = payeeHome === own ? this.ledger.isHome(order.payee) : this.rules.regions.includes(payeeHome);
    if (!isKnown) return this.conclude(order, 'failed', 'payee-unknown');
    if (this.ledger.amountOf(order.payer) < order.amount) return this.conclude(order, 'failed', 'insufficient-funds');
    const decision = this.conclude({ ...order, payeeHome }, 'settled');
    const { id, payer, payee, amount, memo } = decision;
    const debit: Side = { leg: 'debit', book: 'account', account: payer };
    if (payeeHome === own) {
      const to = this.ledger.creditSide(payee, amount);
      this.ledger.post(id, amount, debit, to, this.ledger.slotOf(payer));
      this.noteCredit(decision, to);
    } else {
      this.ledger.post(id, amount, debit, clearing(own, payeeHome), this.ledger.slotOf(payer));
      this.events.push({ kind: 'credit', to: payeeHome, id, payer, payee, amount, ...(memo === undefined ? {} : { memo }), decidedAt: decision.decidedAt });
    }
    return decision;
  }

  private conclude(order: TransferOrder, outcome: Decision['outcome'], reason?: FailureReason): Decision {
    const { id, payer, payee, payeeHome, amount, memo, key, acceptedBy, requestedAt } = order;
    const decision: Decision = {
      id, payer, payee, payeeHome, amount, ...(memo === undefined ? {} : { memo }), outcome, ...(reason === undefined ? {} : { reason }), acceptedBy, requestedAt, decidedAt: this.rules.now,
    };
    this.record(decision);
    if (!this.keys.has(`${payer} ${key}`)) {
      this.keys.set(`${payer} ${key}`, id);
      this.freshKeys.push({ payer, key, transfer: id });
    }
    // What moves no money raises the version too: whoever waits for the decision waits for it.
    if (outcome !== 'settled') this.ledger.touch(payer);
    return decision;
  }

  /** Decided, and its payer told. */
  private record(decision: Decision): void {
    const { id, payer, payee, amount, memo, outcome, reason } = decision;
    this.decided.set(id, decision);
    this.fresh.push(decision);
    const body = { transfer: id, payee, amount, ...(memo === undefined ? {} : { memo }), ...(reason === undefined ? {} : { reason }) };
    this.notices.push({ account: payer, slot: this.ledger.slotOf(payer), kind: `transfer-${outcome}`, subject: id, body, at: this.rules.now });
  }

  private noteCredit({ id, payer, payee, amount, memo }: Pick<Decision, 'id' | 'payer' | 'payee' | 'amount' | 'memo'>, { book }: Side): void {
    const suspense = book === 'suspense';
    this.credits.set(id, { credit: { id, creditedAt: this.rules.now, suspense }, payee });
    if (suspense) return;
    const body = { transfer: id, payer, amount, ...(memo === undefined ? {} : { memo }) };
    this.notices.push({ account: payee, slot: this.ledger.slotOf(payee), kind: 'transfer-received', subject: id, body, at: this.rules.now });
  }
}
