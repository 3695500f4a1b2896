import { type Database, type Part, type Transaction, readParts } from '#adapters/postgres';
import { type Cursor, NEWEST } from '#kernel/pages';
import { decisionsFrom, decisionsPart, iso } from './known-transfers.js';
import type { Credit } from './order.js';
import { type RequestRow, type TransferFacts, mergeFacts } from './transfer-view.js';

const REQUESTS = `
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('region', region, 'id', id, 'payer', payer, 'payee', payee, 'payeeHome', payee_home, 'amount', amount, 'memo', memo,
           'key', encode(key, 'base64'), 'session', encode(session, 'base64'), 'epoch', epoch, 'home', home, 'requestedAt', requested_at))), '[]')
  FROM transfer_request WHERE region = ANY ($1) AND id = ANY ($2::uuid[])`;
const CREDITS = `
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'creditedAt', credited_at, 'suspense', suspense)), '[]') FROM transfer_credit WHERE region = ANY ($1) AND id = ANY ($2::uuid[])`;
/** A transfer is listed by its decision, else by the earliest of its requests: once. */
const PAGE = {
  name: 'transfers-page',
  text: `
  SELECT id FROM (
    (SELECT id, requested_at FROM transfer_decision
     WHERE region = ANY ($2) AND payer = $1 AND (requested_at, id) < ($3, $4) ORDER BY requested_at DESC, id DESC LIMIT $5)
    UNION ALL
    (SELECT id, requested_at FROM transfer_decision
     WHERE region = ANY ($2) AND payee = $1 AND outcome = 'settled' AND (requested_at, id) < ($3, $4) ORDER BY requested_at DESC, id DESC LIMIT $5)
    UNION ALL
    (SELECT id, requested_at FROM transfer_request AS request
     WHERE region = ANY ($2) AND payer = $1 AND (requested_at, id) < ($3, $4)
       AND NOT EXISTS (SELECT FROM transfer_decision d WHERE d.region = ANY ($2) AND d.id = request.id)
       AND NOT EXISTS (SELECT FROM transfer_request e WHERE e.region = ANY ($2) AND e.id = request.id AND (e.requested_at, e.region) < (request.requested_at, request.region))
     ORDER BY requested_at DESC, id DESC LIMIT $5)
  ) AS listed ORDER BY requested_at DESC, id DESC LIMIT $5`,
};
const UNDECIDED = {
  name: 'transfers-undecided',
  text: `SELECT DISTINCT r.id, r.amount::float8 AS amount FROM transfer_request r
         WHERE r.payer = $1 AND r.region = ANY ($2) AND NOT EXISTS (SELECT FROM transfer_decision d WHERE d.id = r.id)`,
};
const WALLET_VERSIONS = { name: 'wallet-versions', text: 'SELECT region, version::float8 AS version FROM balance WHERE region = ANY ($2) AND account = $1' };
const REQUEST_VERSIONS = {
  name: 'request-versions',
  text: 'SELECT region, max(version)::float8 AS version FROM transfer_request WHERE region = ANY ($2) AND payer = $1 GROUP BY region',
};

/** What these regions wrote of these transfers, as known here, in the order of the ids; nothing of those that nobody knows. */
export async function factsOf(database: Pick<Transaction, 'query'>, regions: readonly string[], ids: readonly string[]): Promise<TransferFacts[]> {
  if (ids.length === 0) return [];
  return factsFrom(await readParts(database, factsParts(regions, ids)), ids).filter(({ decision, requests, credit }) => decision ?? credit ?? requests[0]);
}

export function factsParts(regions: readonly string[], ids: readonly string[]): [Part, Part, Part] {
  return [decisionsPart(regions, ids), { name: 'requests', text: REQUESTS, values: [regions, ids] }, { name: 'credits', text: CREDITS, values: [regions, ids] }];
}

export function factsFrom([decisions, requests, credits]: readonly unknown[], ids: readonly string[]): TransferFacts[] {
  const known = new Map<string, TransferFacts[]>(ids.map((id) => [id, []]));
  for (const decision of decisionsFrom(decisions)) known.get(decision.id)!.push({ decision, requests: [] });
  for (const request of requests as RequestRow[]) {
    const { key, session, requestedAt } = request;
    known.get(request.id)!.push({ requests: [{ ...request, key: base64url(key), session: base64url(session), requestedAt: iso(requestedAt) }] });
  }
  for (const credit of credits as Credit[]) known.get(credit.id)!.push({ requests: [], credit: { ...credit, creditedAt: iso(credit.creditedAt) } });
  return ids.map((id) => mergeFacts(known.get(id)!));
}

/** A page of an account's transfers, newest first, of what these regions wrote. */
export async function factsOfPage(database: Database, regions: readonly string[], account: string, limit: number, after: Cursor = NEWEST): Promise<TransferFacts[]> {
  const ids = await database.query<{ id: string }>(PAGE, [account, regions, after.at, after.id, limit]);
  return factsOf(database, regions, ids.map(({ id }) => id));
}

/** What an account has ordered and, as far as is known here, is not decided. */
export function undecidedOf(database: Database, regions: readonly string[], account: string): Promise<{ id: string; amount: number }[]> {
  return database.query(UNDECIDED, [account, regions]);
}

/** How new the rows of these regions are that decide what an account's transfers show: of its wallet, or of its requests. */
export function versionsOf(database: Database, kind: 'wallet' | 'request', regions: readonly string[], account: string): Promise<{ region: string; version: number }[]> {
  return database.query(kind === 'wallet' ? WALLET_VERSIONS : REQUEST_VERSIONS, [account, regions]);
}

function base64url(base64: string): string {
  return Buffer.from(base64, 'base64').toString('base64url');
}
