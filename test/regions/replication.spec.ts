import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { databaseUrl } from './harness/deployment.js';
import { type User, eventually, sharedWorld } from './harness/index.js';
import { readMetrics, sumOf } from './harness/metrics.js';
import { asReplication } from './situations.js';

const world = sharedWorld();
const PUBLISHED = ['password', 'profile', 'ended_session', 'signout', 'heartbeat', 'stream_applied'];
/** Of money and notices. */
const PUBLISHED_SINCE = [
  'posting', 'balance', 'transfer_request', 'transfer_decision', 'transfer_credit', 'voucher', 'voucher_redemption', 'redeem_request', 'notification', 'notification_read',
  'announcement', 'announcement_act', 'incident', 'incident_account',
];
/** The reader says within this what stopped it (faults, 25), and the time that a busy machine takes to look. */
const ALARM_MS = 10_000 + 2_000;

async function replication(reader: string, writer: string): Promise<any> {
  return (await world.ops(reader, 'GET', '/ops/status')).body.peers[writer].replication;
}

async function metric(region: string, name: string, peer: string): Promise<number | undefined> {
  return sumOf(readMetrics((await world.ops(region, 'GET', '/metrics')).text), name, { peer });
}

/** A user with a row of `home` in every published table. */
async function seen(home: string): Promise<User> {
  const user = await world.register(home, home, { displayName: 'Ada' });
  const [one, other] = [await world.signIn(home, user), await world.signIn(home, user)];
  expect((await world.api(home, 'DELETE', '/v1/sessions/current', { token: one })).status).toBe(204);
  expect((await world.api(home, 'DELETE', '/v1/sessions', { token: other })).status).toBe(204);
  return user;
}

/** A connection that holds a lock on a table in a region, so that nothing can be applied to it, until `release`. */
async function hold(region: string, table: string): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: databaseUrl(world.address, region) });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${table} IN SHARE MODE`);
  return { release: () => client.end() };
}

/** A row of `home` in this table, with what every column needs and no meaning. @returns its text */
async function rowOf(home: string, table: string): Promise<string> {
  const columns = await world.sql<{ name: string; type: string }>(home, `
    SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
    WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND (attnotnull OR attname = 'account') AND NOT atthasdef`, [`public.${table}`]);
  const values: Record<string, string> = { uuid: 'gen_random_uuid()', bytea: `'\\x00'`, jsonb: `'{}'`, 'timestamp with time zone': 'now()', boolean: 'false', text: `'x'` };
  const value = ({ name, type }: { name: string; type: string }): string => (name === 'region' ? `'${home}'` : (values[type] ?? '1'));
  const [row] = await world.sql<{ text: string }>(home, `INSERT INTO ${table} (${columns.map(({ name }) => name).join(', ')}) VALUES (${columns.map(value).join(', ')}) RETURNING ${table}::text AS text`);
  return row!.text;
}

describe('a published row has one writer', () => {
  beforeAll(async () => {
    await seen('west');
    await world.settleAll();
  });

  it.each(PUBLISHED_SINCE)("and another region's own write of it is refused by the database, also where it is money: %s", async (table) => {
    const made = await rowOf('west', table);
    await eventually(async () => expect(await world.sql('east', `SELECT 1 FROM ${table} WHERE ${table}::text = $1`, [made])).toHaveLength(1));
    const refused = { code: 'HW001', message: expect.stringContaining(table) };
    await expect(world.sql('east', `INSERT INTO ${table} (region) VALUES ('west')`)).rejects.toMatchObject(refused);
    await expect(world.sql('east', `UPDATE ${table} SET slot = slot WHERE region = 'west'`)).rejects.toMatchObject(refused);
    await expect(world.sql('east', `DELETE FROM ${table} WHERE region = 'west'`)).rejects.toMatchObject(refused);
    await expect(world.sql('west', `UPDATE ${table} SET region = 'east' WHERE region = 'west'`)).rejects.toMatchObject(refused);
    await asReplication(world, 'west', `DELETE FROM ${table} WHERE ${table}::text = $1`, [made]);
    await eventually(async () => expect(await world.sql('east', `SELECT 1 FROM ${table} WHERE ${table}::text = $1`, [made])).toEqual([]));
  });

  it.each(PUBLISHED)("and another region's own write of it is refused by the database: %s", async (table) => {
    const refused = { code: 'HW001', message: expect.stringContaining(table) };
    await expect(world.sql('east', `INSERT INTO ${table} (region) VALUES ('west')`)).rejects.toMatchObject(refused);
    await expect(world.sql('east', `UPDATE ${table} SET slot = slot WHERE region = 'west'`)).rejects.toMatchObject(refused);
    await expect(world.sql('east', `DELETE FROM ${table} WHERE region = 'west'`)).rejects.toMatchObject(refused);
    await expect(world.sql('west', `UPDATE ${table} SET region = 'east' WHERE region = 'west'`)).rejects.toMatchObject(refused);
  });
});

describe('the region of a database', () => {
  it('is compared with as a constant by the guard of each published table, so nobody can give the database another one', async () => {
    const guards = await world.sql<{ table: string; definition: string }>('east', `
      SELECT tgrelid::regclass::text AS table, pg_get_triggerdef(oid) AS definition FROM pg_trigger WHERE tgname LIKE 'refuse\\_foreign\\_%'`);
    expect(new Set(guards.map(({ table }) => table))).toEqual(new Set([...PUBLISHED, ...PUBLISHED_SINCE]));
    for (const { definition } of guards) expect(definition).toMatch(/WHEN .*'east'/);
    const refused = { code: 'HW003' };
    await expect(world.sql('east', `UPDATE this_region SET name = 'west'`)).rejects.toMatchObject(refused);
    await expect(world.sql('east', `SET session_replication_role = replica; DELETE FROM this_region`)).rejects.toMatchObject(refused);
  });
});

describe('a subscription', () => {
  it('that was disabled by hand is noticed, reported and resumed by itself', async () => {
    const before = (await replication('west', 'east')).mended.enabled ?? 0;
    await world.sql('west', 'ALTER SUBSCRIPTION homeward_from_east DISABLE');
    const user = await world.register('east', 'east', { displayName: 'Grace' });
    await eventually(async () => {
      const status = await replication('west', 'east');
      expect(status.mended.enabled ?? 0).toBe(before + 1);
      expect(status.state).toBe('streaming');
    });
    expect(await metric('west', 'homeward_subscription_mended', 'east')).toBeGreaterThan(before);
    await eventually(async () => expect(await world.sql('west', `SELECT 1 FROM profile WHERE account = $1`, [user.id])).toHaveLength(1));
    await world.mustConverge();
  });

  it('faults 25: that a row put there by hand has stopped tells within 10 s which row it is and the command that mends it, and resumes after it', async () => {
    const user = await world.register('east');
    await world.settleAll();
    await world.sql('west', `BEGIN; SET LOCAL session_replication_role = replica;
      INSERT INTO profile (region, slot, account, fields, version) VALUES ('east', 1, '${user.id}', '{"displayName":{"s":1,"v":"stranger"}}', 7); COMMIT`);
    const token = await world.signIn('east', user);
    const edited = await world.api('east', 'PATCH', '/v1/profile', { token, body: { displayName: 'Ada' } });
    expect(edited.status).toBe(200);
    const status = await eventually(async () => {
      const now = await replication('west', 'east');
      expect(now).toMatchObject({ state: 'stopped', cause: 'row-exists', alarm: true, mend: expect.stringContaining('DELETE') });
      return now;
    }, ALARM_MS);
    expect(status.detail).toContain(user.id);
    expect(status.detail).not.toContain('stranger');
    expect(await metric('west', 'homeward_subscription_alarm', 'east')).toBe(1);
    expect(await metric('west', 'homeward_subscription_streaming', 'east')).toBe(0);
    await world.sql('west', status.mend);
    await eventually(async () => expect((await replication('west', 'east')).state).toBe('streaming'));
    await world.mustConverge();
    const read = await world.api('west', 'GET', '/v1/profile', { token: await world.signIn('west', user) });
    expect(read.body.fields).toEqual({ displayName: 'Ada' });
    expect(read.headers['etag']).toBe(edited.headers['etag']);
  });

  it('faults 40: whose slot was dropped while rows changed and went is rebuilt by itself, equal, and readers never see an empty table', async () => {
    const user = await seen('east');
    await world.settleAll();
    const { rebuilds } = await replication('west', 'east');
    await world.cut('refuse');
    await eventually(() => world.sql('east', `SELECT pg_drop_replication_slot('homeward_east_to_west')`));
    const token = await world.signIn('east', user);
    expect((await world.api('east', 'PATCH', '/v1/profile', { token, body: { displayName: 'Grace', bio: 'new' } })).status).toBe(200);
    await world.sql('east', `DELETE FROM ended_session WHERE region = 'east'`);
    const late = await world.register('east');
    const rows = `SELECT count(*)::int AS count FROM password WHERE region = 'east'`;
    const [least] = await world.sql<{ count: number }>('west', rows);
    await world.heal();
    let fewest = least!.count;
    await eventually(async () => {
      const [now] = await world.sql<{ count: number }>('west', rows);
      fewest = Math.min(fewest, now!.count);
      expect((await replication('west', 'east')).rebuilds).toBe(rebuilds + 1);
    }, 30_000);
    expect(fewest).toBe(least!.count);
    expect(await replication('west', 'east')).toMatchObject({ lastRebuild: { reason: 'slot-gone', at: expect.any(String) } });
    expect(await metric('west', 'homeward_subscription_rebuilds', 'east')).toBe(rebuilds + 1);
    await world.mustConverge();
    expect(await world.signIn('west', late)).toBeTruthy();
    // A copied row is no row that somebody put there by hand: its next change is no conflict, of which the server's log would tell the whole row.
    expect((await world.api('east', 'PUT', '/v1/password', { token, body: { current: user.password, next: 'green-heron-1815' } })).status).toBe(204);
    await world.mustConverge();
    const logs = join(world.address.data, 'postgres/west/data/log');
    for (const name of readdirSync(logs)) expect(readFileSync(join(logs, name), 'utf8')).not.toContain('argon2');
  });
});

describe('a transaction that is applied for longer than the server that sends it waits for a word', () => {
  /** More than lies on its way between the two servers, and how many of them take 5 ms each: longer than the sender waits. */
  const [ROWS, BYTES, SLOW] = [40_000, 900, 1_600];
  const arrived = async (): Promise<number> => (await world.sql<{ count: number }>('west', `SELECT count(*)::int AS count FROM profile WHERE region = 'east' AND slot = 1023 AND fields ? 'large'`))[0]!.count;

  it('arrives all the same, whole', async () => {
    await world.settleAll();
    await world.sql('west', `CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END $$;
      CREATE TRIGGER slowly BEFORE INSERT ON profile FOR EACH ROW WHEN (NEW.fields ? 'large' AND NEW.version <= ${SLOW}) EXECUTE FUNCTION slowly(); ALTER TABLE profile ENABLE REPLICA TRIGGER slowly`);
    try {
      await world.sql('east', `INSERT INTO profile (region, slot, account, fields, version) SELECT 'east', 1023, gen_random_uuid(), jsonb_build_object('large', repeat('x', ${BYTES})), n FROM generate_series(1, ${ROWS}) AS n`);
      await eventually(async () => expect(await arrived()).toBe(ROWS), 60_000);
    } finally {
      await world.sql('west', 'DROP TRIGGER slowly ON profile; DROP FUNCTION slowly');
      await world.sql('east', `DELETE FROM profile WHERE region = 'east' AND slot = 1023 AND fields ? 'large'`);
    }
    await eventually(async () => expect(await arrived()).toBe(0));
    await world.mustConverge();
  });
});

describe('password and account', () => {
  it('may arrive in either order: the account first', async () => {
    const held = await hold('west', 'password');
    try {
      const user = await world.register('east');
      await eventually(async () => expect(await world.sql('west', 'SELECT 1 FROM account WHERE id = $1', [user.id])).toHaveLength(1));
      expect(await world.sql('west', 'SELECT 1 FROM password WHERE account = $1', [user.id])).toHaveLength(0);
      const early = await world.trySignIn('west', user);
      expect(early).toMatchObject({ status: 201, headers: { 'homeward-read': 'second' }, body: { assurance: 'full' } });
      expect(await world.trySignIn('west', { ...user, password: 'another-one-entirely' })).toMatchObject({ status: 401 });
      await held.release();
      await mustEnterAlone(user);
    } finally {
      await held.release().catch(() => undefined);
    }
  });

  it('may arrive in either order: the password first', async () => {
    const held = await hold('west', 'account');
    try {
      const user = await world.register('east');
      await eventually(async () => expect(await world.sql('west', 'SELECT 1 FROM password WHERE account = $1', [user.id])).toHaveLength(1));
      expect(await world.sql('west', 'SELECT 1 FROM account WHERE id = $1', [user.id])).toHaveLength(0);
      await held.release();
      await eventually(async () => expect(await world.sql('west', 'SELECT 1 FROM account WHERE id = $1', [user.id])).toHaveLength(1));
      await mustEnterAlone(user);
    } finally {
      await held.release().catch(() => undefined);
    }
  });

  /** What is known in west alone lets the user in. */
  async function mustEnterAlone(user: User): Promise<void> {
    await world.settleAll();
    await world.cut('refuse');
    await world.untilCutSeen();
    expect(await world.trySignIn('west', user)).toMatchObject({ status: 201, headers: { 'homeward-read': 'local' } });
    // The channels' last heartbeats may be younger than the one over HTTP: until they are a second old, they prove it.
    await eventually(async () => expect(await world.trySignIn('west', user)).toMatchObject({ status: 201, body: { assurance: 'local' } }));
    await world.heal();
    await world.mustConverge();
  }
});
