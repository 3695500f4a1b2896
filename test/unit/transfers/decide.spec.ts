import { IdempotencyKeyReusedError, SessionInvalidError } from '#kernel/problems';
import { newId } from '#kernel/ids';
import { type Decision, TransferBook, digestOfKey, transferId } from '#features/transfers';
import { Ledger, type LedgerAccount, MAX_AMOUNT } from '#features/wallets';
import type { TransferOrder } from '#kernel/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const NOW = '2026-11-21T12:00:00.000Z';
const REGIONS = ['east', 'west'];
const SESSION = digestOfKey('a session');
const here = Array.from({ length: 4 }, () => newId());
const away = [newId(), newId()];
const stranger = newId();

const account = (id: string, home: string, amount: number, more: Partial<LedgerAccount> = {}): LedgerAccount => ({ id, slot: 7, home, epoch: 1, balance: { amount, version: 1 }, ...more });
const ledgerOf = (amounts: readonly number[], more: Partial<LedgerAccount> = {}): Ledger =>
  new Ledger('east', [...here.map((id, index) => account(id, 'east', amounts[index]!, more)), ...away.map((id): LedgerAccount => ({ id, slot: 9, home: 'west', epoch: 1 }))]);
const bookOf = (ledger: Ledger): TransferBook => new TransferBook(ledger, { decisions: [], keys: [], credited: [] }, { regions: REGIONS, expiryMs: 1_000, now: NOW });

function orderOf(payer: string, payee: string, amount: number, key: string, more: Partial<TransferOrder> = {}): TransferOrder {
  const digest = digestOfKey(key);
  const payeeHome = away.includes(payee) ? 'west' : 'east';
  return { id: transferId({ payer, payee, amount }, digest), payer, payee, payeeHome, amount, key: digest, session: SESSION, epoch: 1, acceptedBy: 'west', requestedAt: NOW, ...more };
}

const amounts = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 4, maxLength: 4 });
const step = fc.record({
  how: fc.constantFrom('order', 'request', 'cancel', 'credit'), payer: fc.nat(3), payee: fc.nat(6), amount: fc.integer({ min: 1, max: 40 }), key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  waitedMs: fc.constantFrom(0, 2_000), epoch: fc.constantFrom(0, 1, 1, 1),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
const payees = [...here, ...away, stranger];

/** Takes a step; undefined where nothing may be recorded of it. */
function take(book: TransferBook, { how, payer, payee, amount, key, waitedMs, epoch }: Step): { order: TransferOrder; decision: Decision } | undefined {
  const order = orderOf(here[payer]!, payees[payee]!, amount, key, { epoch });
  if (how === 'credit') {
    const id = transferId({ payer: away[0]!, payee: order.payee, amount }, digestOfKey(key));
    book.credit({ kind: 'credit', to: 'east', id, payer: away[0]!, payee: order.payee, amount, decidedAt: NOW }, 'west');
    return undefined;
  }
  if (order.payer === order.payee) return undefined;
  try {
    return { order, decision: how === 'order' ? book.order(order) : how === 'request' ? book.request(order, waitedMs) : book.cancel(order) };
  } catch (error) {
    if (error instanceof SessionInvalidError || error instanceof IdempotencyKeyReusedError) return undefined;
    throw error;
  }
}

describe('decisions of one transaction', () => {
  it('neither make nor lose money, leave no balance negative, and move it at most once per transfer', () => {
    fc.assert(fc.property(amounts, fc.array(step, { maxLength: 40 }), (before, steps) => {
      const ledger = ledgerOf(before);
      const book = bookOf(ledger);
      for (const one of [...steps, ...steps]) take(book, one);
      expect(ledger.postings.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
      const byEntry = Map.groupBy(ledger.postings, ({ entry }) => entry);
      for (const legs of byEntry.values()) {
        expect(legs).toHaveLength(2);
        expect(legs[0]!.amount + legs[1]!.amount).toBe(0);
        expect(new Set(legs.map(({ leg }) => leg)).size).toBe(2);
      }
      here.forEach((id, index) => {
        const posted = ledger.postings.filter(({ account: whose, book: name }) => whose === id && name === 'account').reduce((sum, { amount }) => sum + amount, 0);
        expect(ledger.amountOf(id)).toBe(before[index]! + posted);
        expect(ledger.amountOf(id)).toBeGreaterThanOrEqual(0);
      });
    }));
  });

  it('are the same for an order however often and whichever way it comes, and settle exactly what they debit', () => {
    fc.assert(fc.property(amounts, fc.array(step, { maxLength: 40 }), (before, steps) => {
      const ledger = ledgerOf(before);
      const book = bookOf(ledger);
      const decided = new Map<string, Decision>();
      for (const one of [...steps, ...steps]) {
        const taken = take(book, one);
        if (taken === undefined) continue;
        expect(taken.decision).toEqual(decided.get(taken.order.id) ?? taken.decision);
        decided.set(taken.order.id, taken.decision);
      }
      const debited = ledger.postings.filter(({ leg }) => leg === 'debit').map(({ entry, amount }) => [entry, -amount]);
      expect(new Map(debited as [string, number][])).toEqual(new Map([...decided.values()].filter(({ outcome }) => outcome === 'settled').map(({ id, amount }) => [id, amount])));
    }));
  });

  it('fail an order that the wallet can not pay, one to nobody, one that waited too long, one of an ended session and one under a used key', () => {
    const ledger = ledgerOf([10, 0, 0, 0]);
    const book = bookOf(ledger);
    const [payer, payee] = here as [string, string];
    const reason = (order: TransferOrder, waitedMs = 0): string | undefined => book.request(order, waitedMs).reason;
    expect(reason(orderOf(payer, payee, 11, '1'))).toBe('insufficient-funds');
    expect(reason(orderOf(payer, stranger, 1, '2'))).toBe('payee-unknown');
    expect(reason(orderOf(payer, payee, 1, '3'), 1_001)).toBe('expired');
    expect(reason(orderOf(payer, payee, 1, '4', { epoch: 0 }))).toBe('credential-superseded');
    expect(reason(orderOf(payer, payee, 10, '5'), 1_000)).toBeUndefined();
    expect(reason(orderOf(payer, payee, 9, '5'))).toBe('idempotency-key-reused');
    expect(ledger.amountOf(payee)).toBe(10);
    expect(ledger.versionOf(payer)).toBe(1 + 6);
  });

  it('let the session go on that changed the password', () => {
    const book = bookOf(ledgerOf([10, 0, 0, 0], { epoch: 2, keep: SESSION }));
    expect(book.request(orderOf(here[0]!, here[1]!, 1, 'kept', { epoch: 1 }), 0).outcome).toBe('settled');
    expect(book.request(orderOf(here[0]!, here[1]!, 1, 'other', { epoch: 1, session: digestOfKey('another') }), 0).reason).toBe('credential-superseded');
  });

  it('keep a cancelled order cancelled when it comes after its cancelling', () => {
    const ledger = ledgerOf([10, 0, 0, 0]);
    const book = bookOf(ledger);
    const order = orderOf(here[0]!, here[1]!, 5, 'x');
    expect(book.cancel(order).outcome).toBe('cancelled');
    expect(book.request(order, 0).outcome).toBe('cancelled');
    expect(book.order(order).outcome).toBe('cancelled');
    expect(ledger.postings).toEqual([]);
  });

  it('put a credit aside that its wallet can not hold or whose payee is unknown, and refuse none', () => {
    const ledger = ledgerOf([MAX_AMOUNT - 5, 0, 0, 0]);
    const book = bookOf(ledger);
    const credit = (payee: string, amount: number, key: string): string | undefined => {
      const id = transferId({ payer: away[0]!, payee, amount }, key);
      book.credit({ kind: 'credit', to: 'east', id, payer: away[0]!, payee, amount, decidedAt: NOW }, 'west');
      return ledger.postings.find(({ entry, leg }) => entry === id && leg === 'credit')?.book;
    };
    expect(credit(here[0]!, 6, 'a')).toBe('suspense');
    expect(credit(here[0]!, 5, 'b')).toBe('account');
    expect(credit(stranger, 5, 'c')).toBe('suspense');
    expect(ledger.amountOf(here[0]!)).toBe(MAX_AMOUNT);
  });

  it('refuse an order whose content does not make its id, and one that is not this region\'s', () => {
    const book = bookOf(ledgerOf([10, 0, 0, 0]));
    expect(() => book.request({ ...orderOf(here[0]!, here[1]!, 1, 'x'), amount: 2 }, 0)).toThrow('does not make its id');
    expect(() => book.cancel(orderOf(away[0]!, here[1]!, 1, 'x'))).toThrow('not the home');
  });
});
