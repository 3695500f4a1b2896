import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { slotOf } from '#kernel/routing';
import { databaseUrl } from '../harness/deployment.js';
import type { World } from '../harness/index.js';
import { PLAIN_TABLES, insertOf } from './rows.js';

/** A divergence that was made behind the service's back. */
export interface Planted {
  readonly table: string;
  readonly kind: 'missing' | 'different' | 'surplus';
  /** The primary key as the audit tells it. */
  readonly key: readonly string[];
}

/** How many of each kind in each table: 10 in all, so 200 in twenty tables. */
const MISSING = 3;
const ALTERED = 4;
const SURPLUS = 3;

/** What is altered in a row's content; every second one has its slot changed instead. */
const ALTERATIONS: Record<string, string> = {
  account: 'normalization = normalization + 1', credential_epoch: 'epoch = epoch + 5', password: `hash = 'other'`, profile: `fields = '{"bio": {"s": 9, "v": "stranger"}}'`,
  ended_session: `expires_at = expires_at + interval '1 hour'`, signout: 'counter = counter + 1', posting: `created_at = created_at + interval '1 microsecond'`,
  balance: 'version = version + 1', transfer_request: `memo = 'another'`, transfer_decision: `reason = 'payee-unknown'`, transfer_credit: 'suspense = true',
  voucher: 'amount = amount + 1', voucher_redemption: `redeemed_at = redeemed_at - interval '1 day'`, redeem_request: `account = uuidv7()`,
  notification: `body = body || '{"amount": 0}'`, notification_read: `read_at = now()`, announcement: `body = '{}'`, announcement_act: `at = now()`,
  incident: 'closed_at = NULL', incident_account: `at = now()`,
};
const SECOND: Record<string, string> = { account: `created_at = created_at + interval '1 second'`, credential_epoch: `keep_session = '\\x01'` };

/** Rows that nobody else makes or changes meanwhile. */
const OURS = `account IN (SELECT id FROM account WHERE identifier LIKE 'audited-%')`;
const ONLY: Record<string, string> = { password: OURS, profile: OURS, ended_session: `expires_at > now() + interval '1 hour'`, incident: `peer = 'west'` };

/** Every compared table. */
export const TABLES: readonly string[] = ['account', 'credential_epoch', 'password', 'profile', 'posting', 'balance', ...PLAIN_TABLES];

/** Plants divergences in `copy`'s copies of `owner`'s rows, in every table, and tells which. */
export async function plant(world: World, copy: string, owner: string): Promise<Planted[]> {
  const client = new pg.Client({ connectionString: databaseUrl(world.address, copy) });
  await client.connect();
  try {
    const planted: Planted[] = [];
    for (const table of TABLES) planted.push(...(await plantIn(client, world, owner, table)));
    return planted;
  } finally {
    await client.end();
  }
}

async function plantIn(client: pg.Client, world: World, owner: string, table: string): Promise<Planted[]> {
  const key = await keyOf(client, table);
  const asKey = `jsonb_build_array(${key.map((column) => `t.${column}::text`).join(', ')})`;
  const theirs = table === 'account' ? `home = '${owner}' AND identifier LIKE 'audited-%'` : table === 'credential_epoch' ? `account IN (SELECT id FROM account WHERE home = '${owner}' AND identifier LIKE 'audited-%')` : `region = '${owner}'`;
  const only = ONLY[table] === undefined ? theirs : `${theirs} AND ${ONLY[table]}`;
  const { rows } = await client.query<{ key: string[] }>(`SELECT ${asKey} AS key FROM ${table} t WHERE ${only} ORDER BY md5(t::text) LIMIT ${MISSING + ALTERED}`);
  const [missing, altered] = [rows.slice(0, MISSING), rows.slice(MISSING)];
  const isKey = (values: readonly string[]): string => key.map((column, index) => `${column} = '${values[index]}'`).join(' AND ');
  const second = SECOND[table] ?? 'slot = (slot + 1) % 1024';
  const ids = Array.from({ length: SURPLUS }, () => randomUUID());
  const statements = [
    ...missing.map((row) => `DELETE FROM ${table} WHERE ${isKey(row.key)}`),
    ...altered.map((row, index) => `UPDATE ${table} SET ${index % 2 === 0 ? ALTERATIONS[table] : second} WHERE ${isKey(row.key)}`),
    ...ids.map((id) => surplusSql(world, owner, table, id)),
  ];
  await client.query(`BEGIN; SET LOCAL session_replication_role = replica; ${statements.join('; ')}; COMMIT`);
  const surplus = await client.query<{ key: string[] }>(`SELECT ${asKey} AS key FROM ${table} t, unnest($1::text[]) AS made WHERE strpos(t::text, made) > 0 OR strpos(t::text, encode(sha256(made::bytea), 'hex')) > 0`, [ids]);
  return [
    ...missing.map((row) => ({ table, kind: 'missing' as const, key: row.key })),
    ...altered.map((row) => ({ table, kind: 'different' as const, key: row.key })),
    ...surplus.rows.map((row) => ({ table, kind: 'surplus' as const, key: row.key })),
  ];
}

function surplusSql(world: World, owner: string, table: string, id: string): string {
  const identifier = world.identifier(owner);
  switch (table) {
    case 'account': return `INSERT INTO account (id, identifier, normalization, slot, home, created_at) VALUES ('${id}', '${identifier}', 1, ${slotOf(identifier)}, '${owner}', now())`;
    case 'credential_epoch': return `INSERT INTO credential_epoch (account, epoch) VALUES ('${id}', 3)`;
    // Its arrival would raise an epoch, which would be a divergence of its own; without one it stands alone.
    case 'password': return `ALTER TABLE password DISABLE TRIGGER arrived; INSERT INTO password (region, slot, account, hash, epoch, version, changed_at) VALUES ('${owner}', 1, '${id}', 'none', 1, 1, now()); ALTER TABLE password ENABLE REPLICA TRIGGER arrived`;
    case 'profile': return `INSERT INTO profile (region, slot, account, fields, version) VALUES ('${owner}', 1, '${id}', '{}', 1)`;
    case 'posting': return `INSERT INTO posting (region, slot, entry, leg, book, amount, created_at) VALUES ('${owner}', 1, '${id}', 'source', 'deposits', -5, now())`;
    case 'balance': return `INSERT INTO balance (region, slot, account, amount, version, changed_at) VALUES ('${owner}', 1, '${id}', 3, 1, now())`;
    default: return `WITH made AS (SELECT '${id}'::uuid AS id, 1 AS n) ${insertOf(table, owner)}`;
  }
}

async function keyOf(client: pg.Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`SELECT a.attname AS name FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)`, [table]);
  return rows.map(({ name }) => name);
}
