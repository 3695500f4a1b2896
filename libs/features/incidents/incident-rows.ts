import type { Database } from '#adapters/postgres';
import { newId } from '#kernel/ids';
import { type Incident, type IncidentRow, mergeIncidents } from './merge-incidents.js';

/** An account that an incident touched, and how. */
export interface Touch {
  readonly account: string;
  readonly what: string;
  readonly at: string;
}

/** A moment by this region's clock and, as far as it is known, by the peer's; ISO 8601. */
export interface Moment {
  readonly at: string;
  readonly peerAt: string | null;
}

/** Incidents further back than so many rows are not merged or listed any more. */
const ROWS = 1_000;
const COLUMNS = `region, id, peer, opened_at AS "openedAt", reachable_at AS "reachableAt", closed_at AS "closedAt",
  peer_opened_at AS "peerOpenedAt", peer_reachable_at AS "peerReachableAt", peer_closed_at AS "peerClosedAt", counts`;
const OPEN = { name: 'incident-open', text: `SELECT ${COLUMNS} FROM incident WHERE region = $1 AND closed_at IS NULL` };
const ALL = { name: 'incident-all', text: `SELECT ${COLUMNS} FROM incident ORDER BY opened_at DESC LIMIT ${ROWS}` };
const LOCK = { name: 'incident-lock', text: `SELECT pg_advisory_xact_lock(hashtextextended('incident:' || $1, 0))` };
/** A peer that was never here is not missed yet: a new deployment's regions don't start at the same moment. */
const BEGIN = {
  name: 'incident-begin',
  text: `
  INSERT INTO incident (region, id, peer, opened_at, peer_opened_at, counts) SELECT $1, $2, $3, $4, $5, '{}'
  WHERE EXISTS (SELECT FROM heartbeat WHERE region = $3) AND NOT EXISTS (SELECT FROM incident WHERE region = $1 AND peer = $3 AND closed_at IS NULL)`,
};
const REACHABLE = { name: 'incident-reachable', text: 'UPDATE incident SET reachable_at = $3, peer_reachable_at = $4 WHERE region = $1 AND id = $2 AND closed_at IS NULL' };
const CLOSE = { name: 'incident-close', text: 'UPDATE incident SET closed_at = $3, peer_closed_at = $4 WHERE region = $1 AND id = $2 AND closed_at IS NULL AND reachable_at IS NOT NULL' };
const COUNT = {
  name: 'incident-count',
  text: `UPDATE incident SET counts = counts || jsonb_build_object($3::text, coalesce((counts ->> $3::text)::bigint, 0) + $4::bigint) WHERE region = $1 AND id = $2`,
};
const TOUCH = {
  name: 'incident-touch',
  text: `
  INSERT INTO incident_account (region, slot, incident, account, what, at)
  SELECT $1, coalesce(a.slot, 0), $2, t.account, t.what, t.at FROM unnest($3::uuid[], $4::text[], $5::timestamptz[]) AS t (account, what, at) LEFT JOIN account a ON a.id = t.account
  ON CONFLICT DO NOTHING`,
};
/** Notes the payers of these requests, each with the first of them. */
const queued = (requests: string): string => `
  INSERT INTO incident_account (region, slot, incident, account, what, at)
  SELECT $1, min(r.slot), $2, r.payer, 'transfer-queued', min(r.requested_at) FROM ${requests} GROUP BY r.payer
  ON CONFLICT DO NOTHING`;
/** What waits for the peer while an incident is open is of it, whatever the clocks say. */
const WAITING = {
  name: 'incident-waiting',
  text: queued('transfer_waiting w JOIN transfer_request r ON r.region = $1 AND r.id = w.id WHERE r.home = $3 AND w.requested_at >= $4'),
};
/** What was taken and decided between two looks. */
const QUEUED = {
  name: 'incident-queued',
  text: queued('transfer_request r WHERE r.region = $1 AND r.home = $3 AND r.requested_at BETWEEN $4 AND $5'),
};
/** Of those that were noted, from the first one that was. */
const FAILED = {
  name: 'incident-failed',
  text: `
  INSERT INTO incident_account (region, slot, incident, account, what, at)
  SELECT DISTINCT ON (r.payer, d.reason = 'expired') $1, r.slot, $2::uuid, r.payer, CASE WHEN d.reason = 'expired' THEN 'transfer-expired' ELSE 'transfer-failed' END, d.decided_at
  FROM incident_account t JOIN transfer_request r ON r.region = $1 AND r.payer = t.account AND r.home = $3 AND r.requested_at BETWEEN t.at AND $4
  JOIN transfer_decision d ON d.region = r.home AND d.id = r.id
  WHERE t.region = $1 AND t.incident = $2 AND t.what = 'transfer-queued' AND d.outcome = 'failed' ORDER BY r.payer, d.reason = 'expired', d.decided_at
  ON CONFLICT DO NOTHING`,
};
/** What was ordered or decided before the peer was back, and is not done yet on the other side. */
const UNSETTLED = {
  name: 'incident-unsettled',
  text: `
  SELECT EXISTS (
      SELECT FROM transfer_waiting w JOIN transfer_request r ON r.region = $1 AND r.id = w.id WHERE r.home = $2 AND w.requested_at BETWEEN $3 AND $4
      AND NOT EXISTS (SELECT FROM transfer_decision d WHERE d.region = r.home AND d.id = r.id))
    OR EXISTS (
      SELECT FROM transfer_decision d WHERE d.region = $1 AND d.payee_home = $2 AND d.outcome = 'settled' AND d.decided_at BETWEEN $3 AND $4
      AND NOT EXISTS (SELECT FROM transfer_credit c WHERE c.region = d.payee_home AND c.id = d.id)) AS unsettled`,
};
const TOUCHED = {
  name: 'incident-touched',
  text: `SELECT account, array_agg(DISTINCT what ORDER BY what) AS what, min(at) AS since FROM incident_account
         WHERE incident = ANY ($1) AND account > $2 GROUP BY account ORDER BY account LIMIT $3`,
};
const COUNTED = {
  name: 'incident-counted',
  text: `SELECT merged, what, count(DISTINCT account)::int AS accounts FROM unnest($1::uuid[], $2::uuid[]) AS named (incident, merged) JOIN incident_account USING (incident)
         GROUP BY merged, what ORDER BY merged, what`,
};

/** A service's clock is not read at the same moment as the request's that noticed the cut first. */
const BEFORE_MS = 10_000;

/** The rows of incidents: this region writes its own, and reads those of all. */
export class IncidentRows {
  constructor(
    private readonly own: string,
    private readonly database: Database,
  ) {}

  /** This region's own that have not closed. */
  open(): Promise<IncidentRow[]> {
    return this.database.query<IncidentRow>(OPEN, [this.own]);
  }

  /** Of all regions, merged, newest first. */
  async merged(): Promise<Incident[]> {
    return mergeIncidents(await this.database.query<IncidentRow>(ALL));
  }

  /** Begins one, unless one with that peer is open. */
  async begin(peer: string, opened: Moment): Promise<void> {
    await this.database.transact(async (tx) => {
      await tx.query(LOCK, [peer]);
      await tx.query(BEGIN, [this.own, newId(), peer, opened.at, opened.peerAt]);
    });
  }

  /** @param since null where it is unreachable again */
  async reachable({ id }: IncidentRow, since: Moment | null): Promise<void> {
    await this.database.write(REACHABLE, [this.own, id, since?.at ?? null, since?.peerAt ?? null]);
  }

  /** Notes the requests that were taken meanwhile, and which of them failed or expired, and closes it. */
  async close({ id, peer, openedAt }: IncidentRow, { at, peerAt }: Moment): Promise<void> {
    await this.database.write(QUEUED, [this.own, id, peer, openedAt.toISOString(), at]);
    await this.database.write(FAILED, [this.own, id, peer, at]);
    await this.database.write(CLOSE, [this.own, id, at, peerAt]);
  }

  async count({ id }: IncidentRow, name: string, more: number): Promise<void> {
    await this.database.write(COUNT, [this.own, id, name, more]);
  }

  async touch({ id }: IncidentRow, touches: readonly Touch[]): Promise<void> {
    await this.database.write(TOUCH, [this.own, id, touches.map(({ account }) => account), touches.map(({ what }) => what), touches.map(({ at }) => at)]);
  }

  /** Notes the payers whose transfers wait for this peer. @param from taken at the earliest, ISO 8601 by this region's clock; default: whenever */
  async noteWaiting({ id, peer }: IncidentRow, from = '-infinity'): Promise<void> {
    await this.database.write(WAITING, [this.own, id, peer, from]);
  }

  async unsettled({ peer, openedAt }: IncidentRow, reachableAt: Date): Promise<boolean> {
    const [row] = await this.database.query<{ unsettled: boolean }>(UNSETTLED, [this.own, peer, new Date(openedAt.getTime() - BEFORE_MS).toISOString(), reachableAt.toISOString()]);
    return row!.unsettled;
  }

  /** The accounts that any of these touched, with how and since when, in the order of their ids. */
  touched(ids: readonly string[], limit: number, after: string): Promise<{ account: string; what: string[]; since: Date }[]> {
    return this.database.query(TOUCHED, [ids, after, limit]);
  }

  /** How many accounts each of these touched, by how; by the incidents' ids. */
  async counted(incidents: readonly Incident[]): Promise<ReadonlyMap<string, Record<string, number>>> {
    const named = incidents.flatMap(({ id, ids }) => ids.map((incident) => ({ incident, id })));
    const rows = await this.database.query<{ merged: string; what: string; accounts: number }>(COUNTED, [named.map(({ incident }) => incident), named.map(({ id }) => id)]);
    const counts = new Map<string, Record<string, number>>(incidents.map(({ id }) => [id, {}]));
    for (const { merged, what, accounts } of rows) counts.get(merged)![what] = accounts;
    return counts;
  }
}
