import type { World } from '../harness/index.js';

/** What makes a row of each published table but those of accounts: its columns' values in SQL, `id` a fresh UUID, `n` its number; nothing of it breaks an invariant. */
const VALUES: Record<string, Record<string, string>> = {
  ended_session: { session_hash: `sha256(id::text::bytea)`, expires_at: `now() + interval '1 day'` },
  signout: { account: 'id', counter: '1', version: '1' },
  transfer_request: { id: 'id', payer: 'id', payee: 'id', payee_home: `'east'`, amount: '5', memo: `'memo ' || n`, key: `sha256(id::text::bytea)`, home: `'east'`, session: `sha256(id::text::bytea)`, epoch: '1', requested_at: 'now()', version: '1' },
  transfer_decision: { id: 'id', payer: 'id', payee: 'id', payee_home: `'east'`, amount: '5', memo: 'NULL', outcome: `'failed'`, reason: `'expired'`, accepted_by: `'east'`, requested_at: 'now()', decided_at: 'now()' },
  transfer_credit: { id: 'id', payee: 'id', credited_at: 'now()', suspense: 'false' },
  voucher: { id: 'id', account: 'id', amount: '7', memo: `'sorry, "you"'`, incident: 'NULL', granted_at: 'now()' },
  voucher_redemption: { id: 'id', account: 'id', redeemed_at: 'now()' },
  redeem_request: { id: 'id', account: 'id', requested_at: 'now()' },
  notification: { id: 'id', account: 'id', kind: `'voucher-granted'`, subject: 'id', body: `jsonb_build_object('amount', n, 'ä', 'ö')`, created_at: 'now()' },
  notification_read: { id: 'id', account: 'id', read_at: 'now()', version: '1' },
  announcement: { id: 'id', incident: 'NULL', body: `'{"title": "none"}'`, created_at: 'now()' },
  announcement_act: { id: 'id', act: `'withdrawn'`, at: 'now()' },
  incident: { id: 'id', peer: `'west'`, opened_at: 'now()', reachable_at: 'now()', closed_at: 'now()', counts: `'{}'` },
  incident_account: { incident: `'a0d17000-0000-7000-8000-000000000000'`, account: 'id', what: `'regenerated'`, at: 'now()' },
};

/** Tables whose rows stand alone. */
export const PLAIN_TABLES: readonly string[] = Object.keys(VALUES);

/** One row of a table that stands alone, as a SELECT from `made (id, n)`. */
export function insertOf(table: string, region: string): string {
  const values = VALUES[table]!;
  return `INSERT INTO ${table} (region, slot, ${Object.keys(values).join(', ')}) SELECT '${region}', n % 1024, ${Object.values(values).join(', ')} FROM made`;
}

const PREFIX = 'audited-';
/** Ids by which the rows that were made here are known again: other specs have theirs in the same tables. */
const MADE_ID = `('a0d17000-0000-7000-' || substr(uuidv7()::text, 20))::uuid`;
const SLOT = `('x' || substr(encode(sha256(convert_to(identifier, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint % 1024`;
const PARTITION = `('x' || substr(encode(sha256(decode(replace(id::text, '-', ''), 'hex')), 'hex'), 1, 8))::bit(32)::bigint % 4`;

/** Accounts of `region` as registrations leave them: account, password, epoch, profile, outbox row, all in one statement. `$1`, `$2`: numbers of the tries. */
export function accountsSql(region: string, slots: readonly [number, number]): string {
  return `
  WITH named AS MATERIALIZED (SELECT uuidv7() AS id, '${PREFIX}' || n || '@example.com' AS identifier, n FROM generate_series($1::int, $2::int) AS n),
  placed AS (SELECT *, (${SLOT})::smallint AS slot, date_trunc('milliseconds', clock_timestamp()) AS at FROM named),
  made AS MATERIALIZED (SELECT * FROM placed WHERE slot BETWEEN ${slots[0]} AND ${slots[1]}),
  account_rows AS (INSERT INTO account (id, identifier, normalization, slot, home, created_at) SELECT id, identifier, 1, slot, '${region}', at FROM made),
  password_rows AS (INSERT INTO password (region, slot, account, hash, epoch, version, changed_at) SELECT '${region}', slot, id, 'none', 1, 1, at FROM made),
  epoch_rows AS (INSERT INTO credential_epoch (account, epoch) SELECT id, 1 FROM made),
  profile_rows AS (INSERT INTO profile (region, slot, account, fields, version) SELECT '${region}', slot, id, jsonb_build_object('bio', jsonb_build_object('s', n, 'v', 'bio ' || n)), 1 FROM made),
  event_rows AS (
    INSERT INTO outbox (stream, partition, version, key, payload)
    SELECT 'accounts', (${PARTITION})::smallint, 1, id, jsonb_build_object('id', id, 'identifier', identifier, 'normalization', 1, 'home', '${region}',
      'createdAt', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) FROM made)
  SELECT count(*)::int AS count FROM made`;
}

/** Rows of `region` in every table of money and notices: `count` deposits, each with its two postings and the balance, and as many rows of each plain table. */
export async function fillPlainTables(world: World, region: string, count: number): Promise<void> {
  await world.sql(region, `
    WITH made AS MATERIALIZED (SELECT ${MADE_ID} AS id, n FROM generate_series(1, ${count}) AS n),
    postings AS (INSERT INTO posting (region, slot, entry, leg, book, account, amount, created_at)
      SELECT '${region}', n % 1024, id, leg, book, CASE WHEN book = 'account' THEN id END, amount, now()
      FROM made, (VALUES ('source', 'deposits', -5), ('credit', 'account', 5)) AS legs (leg, book, amount))
    INSERT INTO balance (region, slot, account, amount, version, changed_at) SELECT '${region}', n % 1024, id, 5, 1, now() FROM made`);
  for (const table of PLAIN_TABLES) await world.sql(region, `WITH made AS (SELECT ${MADE_ID} AS id, n FROM generate_series(1, ${count}) AS n) ${insertOf(table, region)}`);
}

/** Removes what was made here: own rows at their owners, from where the deletions travel, and what Kafka carried everywhere. */
export async function removeRows(world: World): Promise<void> {
  const ours = `SELECT id FROM account WHERE identifier LIKE '${PREFIX}%'`;
  for (const region of world.regions) {
    const known = (table: string): string => {
      if (table === 'password' || table === 'profile') return `account IN (${ours})`;
      if (table === 'ended_session') return `expires_at < now() + interval '2 days'`;
      return `${KEYS[table] ?? 'id'}::text LIKE 'a0d17%'`;
    };
    const statements = ['password', 'profile', 'posting', 'balance', ...PLAIN_TABLES].map((table) => `DELETE FROM ${table} WHERE region = '${region}' AND ${known(table)}`);
    await world.sql(region, `BEGIN; SET LOCAL session_replication_role = replica; ${statements.join('; ')}; COMMIT`);
  }
  await world.settleAll();
  for (const region of world.regions) await world.sql(region, `DELETE FROM credential_epoch WHERE account IN (${ours}); DELETE FROM account WHERE identifier LIKE '${PREFIX}%'`);
}

const KEYS: Record<string, string> = { posting: 'entry', balance: 'account', signout: 'account', incident_account: 'account' };
