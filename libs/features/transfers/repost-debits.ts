import { type Transaction, readParts, writeParts } from '#adapters/postgres';
import { ledgerFrom, ledgerPart } from '../wallets/index.js';
import { knownFrom, knownParts } from './known-transfers.js';
import { TransferBook, type LostDebit } from './transfer-book.js';

/** Debits of one statement. */
const CHUNK = 500;

/**
 * Posts debits again that a region decided and lost with its disks: their credits in another region prove them (design,
 * "Setting up, rebuilding"). One that is known is left.
 * @param payeeHome the region that credited them
 * @param now ISO 8601
 * @returns how many were posted, and which of them their payers' balances no longer cover
 */
export async function repostDebits(tx: Transaction, own: { region: string; regions: readonly string[]; expiryMs: number }, payeeHome: string, debits: readonly LostDebit[], now: string): Promise<{ posted: number; uncovered: string[] }> {
  const uncovered: string[] = [];
  let posted = 0;
  for (let at = 0; at < debits.length; at += CHUNK) {
    const some = debits.slice(at, at + CHUNK);
    const read = await readParts(tx, [ledgerPart(own.region, some.map(({ payer }) => payer)), ...knownParts(own.region, some.map(({ id, payer }) => ({ id, payer, key: '' })), [])]);
    const ledger = ledgerFrom(own.region, read[0]);
    const book = new TransferBook(ledger, knownFrom(read.slice(1, 4)), { regions: own.regions, expiryMs: own.expiryMs, now });
    for (const debit of some) {
      const outcome = book.repost(debit, payeeHome);
      if (outcome !== 'known') posted += 1;
      if (outcome === 'uncovered') uncovered.push(debit.id);
    }
    await writeParts(tx, [...ledger.parts(now), ...book.parts()]);
  }
  return { posted, uncovered };
}
