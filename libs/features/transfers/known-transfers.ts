import type { Part } from '#adapters/postgres';
import type { TransferOrder } from '#kernel/wire';
import type { Decision } from './order.js';
import type { KnownTransfers } from './transfer-book.js';

const DECISIONS = `
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', id, 'payer', payer, 'payee', payee, 'payeeHome', payee_home, 'amount', amount, 'memo', memo,
           'outcome', outcome, 'reason', reason, 'acceptedBy', accepted_by, 'requestedAt', requested_at, 'decidedAt', decided_at))), '[]')
  FROM transfer_decision WHERE region = ANY ($1) AND id = ANY ($2::uuid[])`;
const KEYS = `
  SELECT coalesce(jsonb_agg(jsonb_build_object('payer', payer, 'key', encode(key, 'base64'), 'transfer', transfer)), '[]')
  FROM transfer_key JOIN unnest($1::uuid[], $2::bytea[]) AS asked (payer, key) USING (payer, key)`;
const CREDITED = `SELECT coalesce(jsonb_agg(id), '[]') FROM transfer_credit WHERE region = $1 AND id = ANY ($2::uuid[])`;

/** The part that reads which of these transfers the regions have decided. */
export function decisionsPart(regions: readonly string[], ids: readonly string[]): Part {
  return { name: 'decisions', text: DECISIONS, values: [regions, ids] };
}

export function decisionsFrom(read: unknown): Decision[] {
  return (read as Decision[]).map((decision) => ({ ...decision, requestedAt: iso(decision.requestedAt), decidedAt: iso(decision.decidedAt) }));
}

/** The parts that read what is known here of orders to be decided and of credits to be booked, after the ledger's. */
export function knownParts(own: string, orders: readonly Pick<TransferOrder, 'id' | 'payer' | 'key'>[], credits: readonly string[]): [Part, Part, Part] {
  const keys = { name: 'keys', text: KEYS, values: [orders.map(({ payer }) => payer), orders.map(({ key }) => Buffer.from(key, 'base64url'))] };
  return [decisionsPart([own], orders.map(({ id }) => id)), keys, { name: 'credited', text: CREDITED, values: [own, credits] }];
}

export function knownFrom([decisions, keys, credited]: readonly unknown[]): KnownTransfers {
  return {
    decisions: decisionsFrom(decisions),
    keys: (keys as { payer: string; key: string; transfer: string }[]).map(({ payer, key, transfer }) => ({ payer, transfer, key: Buffer.from(key, 'base64').toString('base64url') })),
    credited: credited as string[],
  };
}

/** PostgreSQL's ISO 8601 in JSON, in the form that we write. */
export function iso(text: string): string {
  return new Date(text).toISOString();
}
