import { strict as assert } from 'node:assert';
import { DUMMY_HASH } from '#adapters/hashing';
import type { Transaction } from '#adapters/postgres';
import { type Column, type Schema, identifier, keyColumns, readSchema } from '#adapters/replication';
import { numbersBelow } from '#kernel/ids';
import { PARTITIONS, STREAMS } from '#kernel/wire';
import { COMPARED_PUBLISHED } from '../audit/index.js';
import { type LostDebit, repostDebits } from '../transfers/index.js';
import type { KeptPage } from './kept-rows.js';

/** One peer that has rows of this region. */
export interface Found {
  readonly peer: string;
  page(table: string, after: readonly string[] | null): Promise<KeptPage>;
}

/** What was found, and what is known to be missing; kept in `this_region.rebuilt` and shown in `/ops/status`. */
export interface Lost {
  /** Rows that each peer had. */
  readonly from: Readonly<Record<string, number>>;
  /** Accounts whose password did not leave the region: nobody can sign in to them. */
  readonly withoutPassword: Listed;
  /** Accounts whose newest password is lost, while its epoch, which ended the one before, is known: the same. */
  readonly passwordSuperseded: Listed;
  /** Accounts of which only a password is known, and nobody knows whose. */
  readonly withoutIdentifier: Listed;
  /** Transfers whose debit was posted again from its credit, and those among them that the payer's balance no longer covers. */
  readonly debitsReposted: number;
  readonly debitsUncovered: Listed;
  /** Transfers that were credited elsewhere and whose payer nobody knows. */
  readonly debitsUnknown: Listed;
}

interface Listed {
  readonly count: number;
  /** The first of them. */
  readonly ids: readonly string[];
}

interface Own {
  readonly region: string;
  readonly incarnation: number;
  readonly money: { readonly region: string; readonly regions: readonly string[]; readonly expiryMs: number };
  readonly noticeChannels: readonly string[];
}

interface Credit {
  readonly id: string;
  readonly payee: string;
  readonly payer: string | null;
  readonly amount: string;
  readonly memo: string | null;
  readonly credited_at: string;
}

const LISTED = 100;
const LOCAL_TABLES = ['account', 'credential_epoch', 'transfer_key'];

/**
 * Brings everything that the peers have of this region into its new database, in the caller's transaction: the union of what
 * they have, each row in its highest version. What had not left the region is gone; what of that shows is listed.
 * @param now ISO 8601
 */
export async function restore(tx: Transaction, own: Own, found: readonly Found[], now: string): Promise<Lost> {
  const schema = await readSchema(tx, [...COMPARED_PUBLISHED, ...LOCAL_TABLES]);
  await begin(tx, own);
  const from: Record<string, number> = {};
  // Table by table: a notification looks its account up when it comes.
  for (const table of ['account', 'credential_epoch', ...COMPARED_PUBLISHED]) {
    for (const { peer, page } of found) {
      for await (const rows of pages(table, page)) from[peer] = (from[peer] ?? 0) + (await keep(tx, table, schema[table]!, rows));
    }
  }
  await tx.query(`INSERT INTO credential_epoch AS known (account, epoch, keep_session) SELECT account, epoch, keep_session FROM password WHERE region = $1
    ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, keep_session = excluded.keep_session WHERE known.epoch < excluded.epoch`, [own.region]);
  const money = await restoreMoney(tx, own, schema, found, now);
  const lost: Lost = { from, ...(await missing(tx, own.region)), ...money };
  await lockOut(tx, own.region);
  await tx.query('UPDATE this_region SET rebuilt = $1', [JSON.stringify(lost)]);
  return lost;
}

/** Numbers and versions begin above all that were ever given, known to anybody or not. */
async function begin(tx: Transaction, { incarnation, noticeChannels }: Own): Promise<void> {
  const floor = numbersBelow(incarnation);
  await tx.query('UPDATE this_region SET rebuilt_at = clock_timestamp()');
  await tx.query('INSERT INTO notification_channel (name) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING', [[...noticeChannels]]);
  await tx.query(`INSERT INTO outbox_head AS known (stream, partition, head, sent) SELECT stream, partition, $1, $1 FROM unnest($2::text[]) AS stream, generate_series(0, $3::int) AS partition
    ON CONFLICT (stream, partition) DO UPDATE SET head = excluded.head, sent = excluded.sent`, [floor, [...STREAMS], PARTITIONS - 1]);
  assert(Number.isSafeInteger(floor));
  await tx.query(`CREATE OR REPLACE FUNCTION version_floor() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT ${floor}::bigint'`);
}

async function* pages(table: string, page: Found['page']): AsyncGenerator<readonly string[]> {
  for (let after: readonly string[] | null = null; ; ) {
    const { rows, next }: KeptPage = await page(table, after);
    if (rows.length > 0) yield rows;
    if (next === null) return;
    after = next;
  }
}

/** A row that another peer had already stays as it is, unless this one has it in a higher version. @returns how many came */
async function keep(tx: Transaction, table: string, columns: readonly Column[], rows: readonly string[]): Promise<number> {
  const names = columns.map(({ name }) => identifier(name)).join(', ');
  const values = columns.map(({ name, type }) => `r.${identifier(name)}::${type}`).join(', ');
  const texts = columns.map(({ name }) => `${identifier(name)} text`).join(', ');
  const rank = columns.find(({ name }) => name === 'version' || (table === 'credential_epoch' && name === 'epoch'))?.name;
  const rest = columns.filter(({ key }) => key === null).map(({ name }) => `${identifier(name)} = excluded.${identifier(name)}`).join(', ');
  const update = rank === undefined ? 'DO NOTHING' : `(${keyColumns(columns).map(identifier).join(', ')}) DO UPDATE SET ${rest} WHERE known.${identifier(rank)} < excluded.${identifier(rank)}`;
  await tx.query(`INSERT INTO public.${identifier(table)} AS known (${names}) SELECT ${values} FROM json_to_recordset($1::json) AS r (${texts}) ON CONFLICT ${update}`, [`[${rows.join(',')}]`]);
  return rows.length;
}

/** Books that only this region keeps follow from the rows that it published; debits that it lost, from their credits. */
async function restoreMoney(tx: Transaction, own: Own, schema: Schema, found: readonly Found[], now: string): Promise<Pick<Lost, 'debitsReposted' | 'debitsUncovered' | 'debitsUnknown'>> {
  await tx.query(`UPDATE money_issued SET total = CASE kind
      WHEN 'deposits' THEN (SELECT coalesce(-sum(amount), 0) FROM posting WHERE region = $1 AND book = 'deposits') ELSE (SELECT coalesce(sum(amount), 0) FROM voucher WHERE region = $1) END`, [own.region]);
  await tx.query(`INSERT INTO transfer_waiting (id, payer, requested_at) SELECT id, payer, requested_at FROM transfer_request WHERE region = $1`, [own.region]);
  const [uncovered, unknown]: [string[], string[]] = [[], []];
  let debitsReposted = 0;
  for (const { peer, page } of found) {
    for await (const rows of pages('credit', page)) {
      const credits = rows.map((row) => JSON.parse(row) as Credit);
      const outcome = await repostDebits(tx, own.money, peer, credits.flatMap(asDebit), now);
      debitsReposted += outcome.posted;
      uncovered.push(...outcome.uncovered);
      unknown.push(...(await undecided(tx, own.region, credits.filter(({ payer }) => payer === null).map(({ id }) => id))));
    }
    for await (const rows of pages('transfer_key', page)) await keepKeys(tx, own.region, schema['transfer_key']!, rows);
  }
  return { debitsReposted, debitsUncovered: listed(uncovered), debitsUnknown: listed(unknown) };
}

function asDebit({ id, payee, payer, amount, memo, credited_at }: Credit): LostDebit[] {
  return payer === null ? [] : [{ id, payer, payee, amount: Number(amount), ...(memo === null ? {} : { memo }), creditedAt: new Date(credited_at).toISOString() }];
}

async function undecided(tx: Transaction, region: string, ids: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>('SELECT id FROM unnest($2::uuid[]) AS id WHERE NOT EXISTS (SELECT FROM transfer_decision d WHERE d.region = $1 AND d.id = id)', [region, [...ids]]);
  return rows.map(({ id }) => id);
}

/** A key stands for a transfer once that is decided; one that waits is decided under its key when it comes. */
async function keepKeys(tx: Transaction, region: string, columns: readonly Column[], rows: readonly string[]): Promise<void> {
  const texts = columns.map(({ name }) => `${identifier(name)} text`).join(', ');
  await tx.query(
    `INSERT INTO transfer_key (payer, key, transfer) SELECT r.payer::uuid, r.key::bytea, r.transfer::uuid FROM json_to_recordset($2::json) AS r (${texts})
     WHERE EXISTS (SELECT FROM transfer_decision d WHERE d.region = $1 AND d.id = r.transfer::uuid) ON CONFLICT DO NOTHING`,
    [region, `[${rows.join(',')}]`],
  );
}

async function missing(tx: Transaction, region: string): Promise<Pick<Lost, 'withoutPassword' | 'passwordSuperseded' | 'withoutIdentifier'>> {
  const ids = async (text: string): Promise<Listed> => listed((await tx.query<{ id: string }>(text, [region])).map(({ id }) => id));
  return {
    withoutPassword: await ids('SELECT id FROM account a WHERE home = $1 AND NOT EXISTS (SELECT FROM password p WHERE p.region = $1 AND p.account = a.id) ORDER BY id'),
    passwordSuperseded: await ids('SELECT p.account AS id FROM password p JOIN credential_epoch e ON e.account = p.account WHERE p.region = $1 AND e.epoch > p.epoch ORDER BY id'),
    withoutIdentifier: await ids('SELECT p.account AS id FROM password p WHERE p.region = $1 AND NOT EXISTS (SELECT FROM account a WHERE a.id = p.account) ORDER BY id'),
  };
}

/**
 * Accounts whose password is lost get one that nobody knows, under the newest epoch that is known: what was ended stays ended,
 * and password and epoch agree in every region.
 */
async function lockOut(tx: Transaction, region: string): Promise<void> {
  await tx.query(
    `UPDATE password p SET hash = $2, epoch = e.epoch, keep_session = e.keep_session, version = next_version(p.version), changed_at = clock_timestamp()
     FROM credential_epoch e WHERE p.region = $1 AND e.account = p.account AND e.epoch > p.epoch`,
    [region, DUMMY_HASH],
  );
  await tx.query(
    `INSERT INTO password (region, slot, account, hash, epoch, keep_session, version, changed_at)
     SELECT $1, a.slot, a.id, $2, coalesce(e.epoch, 1), e.keep_session, next_version(0), clock_timestamp() FROM account a LEFT JOIN credential_epoch e ON e.account = a.id
     WHERE a.home = $1 AND NOT EXISTS (SELECT FROM password p WHERE p.region = $1 AND p.account = a.id)`,
    [region, DUMMY_HASH],
  );
  await tx.query('INSERT INTO credential_epoch (account, epoch) SELECT account, epoch FROM password WHERE region = $1 ON CONFLICT DO NOTHING', [region]);
}

function listed(ids: readonly string[]): Listed {
  return { count: ids.length, ids: ids.slice(0, LISTED) };
}
