import type { Database } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { writeNotifications } from '../notices/index.js';

/** Requests looked at in one round: what is overdue waits for hours already. */
const ROUND = 500;
/** A decision that replication brought while its request was being kept leaves the request waiting: it is let go here. */
const LET_GO = `DELETE FROM transfer_waiting w USING transfer_decision d WHERE d.id = w.id`;
const OVERDUE = `
  UPDATE transfer_waiting AS waiting SET overdue_told = true
  FROM transfer_request r WHERE r.region = $1 AND r.id = waiting.id AND waiting.id IN (
    SELECT id FROM transfer_waiting WHERE NOT overdue_told AND requested_at < $2 ORDER BY requested_at LIMIT ${ROUND})
  RETURNING r.id, r.slot, r.payer, r.payee, r.amount::float8 AS amount, r.memo`;

/**
 * Tells the payers of requests that wait here past their time, once: only the home concludes, but that it takes so long is
 * told where it is known.
 */
export async function tellOverdue(database: Database, clock: Clock, own: { region: string; expiryMs: number }): Promise<void> {
  await database.write(LET_GO);
  const nowMs = clock.wallMs();
  await database.transact(async (tx) => {
    const rows = await tx.query<{ id: string; slot: number; payer: string; payee: string; amount: number; memo: string | null }>(OVERDUE, [own.region, new Date(nowMs - own.expiryMs).toISOString()]);
    const notices = rows.map(({ id, slot, payer, payee, amount, memo }) => {
      const body = { transfer: id, payee, amount, ...(memo === null ? {} : { memo }) };
      return { account: payer, slot, kind: 'transfer-overdue' as const, subject: id, body, at: new Date(nowMs).toISOString() };
    });
    await writeNotifications(tx, own.region, notices);
  });
}
