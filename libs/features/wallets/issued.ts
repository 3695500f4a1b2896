import type { Part } from '#adapters/postgres';
import { CapReachedError } from '#kernel/problems';
import { MAX_AMOUNT } from './ledger.js';

const READ = `SELECT jsonb_object_agg(kind, total) FROM (SELECT kind, total FROM money_issued ORDER BY kind FOR UPDATE) AS issued`;
const ADD = 'UPDATE money_issued SET total = total + $2 WHERE kind = $1';

/** The part that locks and reads what this region has issued, after the balances. */
export const issuedPart: Part = { name: 'issued', text: READ, values: [] };

/**
 * What a region has issued, deposits and vouchers together, in one transaction. Each region may issue an equal share of what
 * can be held, so that whatever all of them issue no wallet can overflow (design, rule 6).
 */
export class Issued {
  private readonly added: Record<'deposits' | 'vouchers', number> = { deposits: 0, vouchers: 0 };
  private total: number;

  /** @param regions how many regions issue */
  constructor(
    read: unknown,
    private readonly regions: number,
  ) {
    this.total = Object.values(read as Record<string, number>).reduce((sum, total) => sum + total, 0);
  }

  /** @throws CapReachedError where it would be more than this region's share */
  add(kind: 'deposits' | 'vouchers', amount: number): void {
    const cap = Math.floor(MAX_AMOUNT / this.regions);
    if (amount > cap - this.total) throw new CapReachedError(`This region has issued ${this.total} and may issue ${cap} in all`);
    this.total += amount;
    this.added[kind] += amount;
  }

  parts(): Part[] {
    return Object.entries(this.added).filter(([, amount]) => amount > 0).map(([kind, amount]) => ({ name: 'issue', text: ADD, values: [kind, amount] }));
  }
}
