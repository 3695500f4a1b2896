import type { Database } from '#adapters/postgres';
import { limits } from '#kernel/config';
import type { Pace } from './pace.js';

/** What must always be true of this region's database, by one question: it answers with what breaks it. */
export interface Invariant {
  readonly name: string;
  /** `$1` is this region, `$2` the last key of the page before (pages only). Rows: `key`, a text that names the evidence and holds no secret. */
  readonly text: string;
  /** Read page by page: the statement also answers rows with `next`, where the page was full. */
  readonly paged?: true;
}

export interface InvariantResult {
  readonly name: string;
  /** `unknown`: the question could not be asked. */
  readonly state: 'held' | 'broken' | 'unknown';
  /** How many break it, as far as they were counted. */
  readonly count: number;
  readonly evidence: readonly string[];
}

/** How long an outbox row may wait for its number, and for the peers' word while all of them are reachable. */
const NUMBERED_WITHIN_SECONDS = 30;
const CONFIRMED_WITHIN_SECONDS = 60;
/** How long Redis may lack an ending while it is there. */
const PENDING_SECONDS = 60;
/** Most evidence that one question gives, and that a report keeps. */
const MOST_EVIDENCE = 1_000;
const TOLD_EVIDENCE = 20;
const PAGE = 10_000;
const FIRST = '00000000-0000-0000-0000-000000000000';

const ACCOUNTS_PAGE = `WITH page AS MATERIALIZED (SELECT * FROM account WHERE id > $2 AND $1::text IS NOT NULL ORDER BY id LIMIT ${PAGE}),
  ended AS (SELECT max(id::text COLLATE "C") AS next, count(*) AS rows FROM page)`;
const NEXT = `SELECT next, NULL AS key FROM ended WHERE rows = ${PAGE} UNION ALL`;
const SLOT = `('x' || substr(encode(sha256(convert_to(page.identifier, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint % 1024`;
const ROUTE = `SELECT range ->> 'home' FROM route_table, jsonb_array_elements(body -> 'ranges') AS range
  WHERE version = (SELECT max(version) FROM route_table) AND page.slot BETWEEN (range ->> 'from')::int AND (range ->> 'to')::int`;

/** Posts of a transfer to another region: the debit at the one, the credit at the other, both in the book `clearing:<from>><to>`. */
const DEBITS = `SELECT region, entry AS id, amount FROM posting WHERE leg = 'clearing' AND amount > 0`;
const CREDITS = `SELECT region, entry AS id, amount, split_part(substr(book, 10), '>', 1) AS payer_home FROM posting WHERE leg = 'clearing' AND amount < 0`;

/** Each holds in every snapshot, whatever has not arrived yet; where a peer's rows may be late, evidence is looked for twice. */
export const INVARIANTS: readonly Invariant[] = [
  {
    name: 'one-account-per-identifier',
    text: `SELECT 'quarantined account ' || account AS key FROM conflict WHERE kind = 'account'
           UNION ALL SELECT 'no unique index on account.identifier' WHERE NOT EXISTS (
             SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = 'account'::regclass AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND a.attname = 'identifier')`,
  },
  {
    name: 'account-has-its-slot-and-home',
    paged: true,
    text: `${ACCOUNTS_PAGE} ${NEXT} SELECT NULL, 'account ' || page.id FROM page WHERE page.slot <> ${SLOT} OR page.home IS DISTINCT FROM (${ROUTE})`,
  },
  {
    name: 'account-has-password-and-epoch',
    paged: true,
    text: `${ACCOUNTS_PAGE} ${NEXT} SELECT NULL, 'account ' || page.id FROM page
           LEFT JOIN password p ON p.region = $1 AND p.account = page.id LEFT JOIN credential_epoch e ON e.account = page.id
           WHERE page.home = $1 AND (p.account IS NULL OR e.epoch IS DISTINCT FROM p.epoch)`,
  },
  {
    name: 'entries-sum-to-zero',
    text: `SELECT region || ' entry ' || entry AS key FROM posting GROUP BY region, entry HAVING sum(amount) <> 0`,
  },
  {
    name: 'balance-is-the-sum-of-its-postings',
    text: `SELECT coalesce(s.region, b.region) || ' account ' || coalesce(s.account, b.account) AS key
           FROM (SELECT region, account, sum(amount) AS amount FROM posting WHERE book = 'account' GROUP BY region, account) s
           FULL JOIN balance b ON b.region = s.region AND b.account = s.account WHERE coalesce(s.amount, 0) <> coalesce(b.amount, 0)`,
  },
  {
    // With the next one: clearing at a and clearing at b are together the debits that are not credited yet.
    name: 'debits-stand-in-clearing',
    text: `SELECT coalesce(d.region, p.region) || ' transfer ' || coalesce(d.id, p.id) AS key
           FROM (SELECT region, id, amount FROM transfer_decision WHERE outcome = 'settled' AND payee_home <> region) d
           FULL JOIN (${DEBITS}) p ON p.region = d.region AND p.id = d.id WHERE d.amount IS DISTINCT FROM p.amount`,
  },
  {
    name: 'credits-answer-debits',
    text: `SELECT c.region || ' transfer ' || c.id AS key FROM (${CREDITS}) c LEFT JOIN (${DEBITS}) d ON d.region = c.payer_home AND d.id = c.id
           LEFT JOIN transfer_credit t ON t.region = c.region AND t.id = c.id WHERE d.amount IS DISTINCT FROM -c.amount OR t.id IS NULL`,
  },
  {
    // A number is given, and committed here, before anybody is sent it: who knows a higher one knew this database when it was newer.
    name: 'peers-know-no-event-that-was-not-given',
    text: `SELECT a.region || ' has ' || a.stream || '/' || a.partition || ' up to ' || a.applied AS key FROM stream_applied a
           LEFT JOIN outbox_head h ON h.stream = a.stream AND h.partition = a.partition WHERE a.writer = $1 AND a.region <> $1 AND a.applied > coalesce(h.head, 0)`,
  },
  {
    name: 'outbox-is-numbered',
    text: `SELECT stream || ' ' || id AS key FROM outbox WHERE created_at < clock_timestamp() - interval '${NUMBERED_WITHIN_SECONDS} seconds'`,
  },
];

/** Asked only where every peer has been reachable for a while: a cut keeps these rows, as it should. */
export const OUTBOX_CONFIRMED: Invariant = {
  name: 'outbox-is-confirmed',
  text: `SELECT stream || '/' || partition || ' from ' || first AS key FROM outbox_batch WHERE created_at < clock_timestamp() - interval '${CONFIRMED_WITHIN_SECONDS} seconds'`,
};
/** Asked only where Redis has been there for a while. */
export const REDIS_FED: Invariant = {
  name: 'redis-has-the-endings',
  text: `SELECT 'pending ' || id AS key FROM redis_pending WHERE created_at < clock_timestamp() - interval '${PENDING_SECONDS} seconds'`,
};

/** What breaks an invariant now. @throws what the database throws */
export async function findBreaches(database: Database, own: string, { text, paged }: Invariant, pace: Pace): Promise<Set<string>> {
  const breaches = new Set<string>();
  for (let after: string | null = FIRST; after !== null && breaches.size < MOST_EVIDENCE; ) {
    const values: unknown[] = paged ? [own, after] : text.includes('$1') ? [own] : [];
    const rows = await pace.take(() => database.transact((tx) => tx.query<{ key: string | null; next?: string | null }>(`${text} LIMIT ${MOST_EVIDENCE}`, values), limits.databaseBatchMs));
    for (const { key } of rows) if (key !== null) breaches.add(key);
    after = rows.find(({ next }) => typeof next === 'string')?.next ?? null;
  }
  return breaches;
}

/** What was there at both looks. Pure. */
export function resultOf(name: string, first: ReadonlySet<string>, second: ReadonlySet<string>): InvariantResult {
  const both = [...first].filter((key) => second.has(key));
  return { name, state: both.length === 0 ? 'held' : 'broken', count: both.length, evidence: both.slice(0, TOLD_EVIDENCE) };
}
