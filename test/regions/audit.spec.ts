import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breaches } from './audit/breaches.js';
import { audited, ended, makeRows, told } from './audit/drive.js';
import { type Planted, TABLES, plant } from './audit/plants.js';
import { removeRows } from './audit/rows.js';
import type { Writes } from './audit/writes.js';
import { databaseUrl } from './harness/deployment.js';
import { eventually, sharedWorld } from './harness/index.js';
import { readMetrics, sumOf } from './harness/metrics.js';
import { Money } from './harness/money.js';

const world = sharedWorld();
/** The whole number that the issue asks for is audited in test/faults/audit.spec.ts. */
const ACCOUNTS = 5_000;
const MONEY = ['entries-sum-to-zero', 'balance-is-the-sum-of-its-postings'];
let writes: Writes;

beforeAll(async () => {
  writes = await makeRows(world, 'east', ACCOUNTS);
  // Clearing in both directions, so that the books are audited with what really stands in them.
  const money = new Money(world);
  const [one, other] = [await money.client('east', 1_000), await money.client('west', 1_000)];
  for (const order of [() => money.order('east', one, other.id, 30), () => money.order('west', other, one.id, 7), () => money.order('west', one, other.id, 5)]) expect((await order()).status).toBe(201);
  await world.settleAll();
  await writes.run();
});
afterAll(async () => {
  await writes.stop();
  await removeRows(world);
});

const metric = async (region: string, name: string): Promise<number | undefined> => sumOf(readMetrics((await world.ops(region, 'GET', '/metrics')).text), name);
const broken = (audit: any): string[] => audit.result.invariants.filter(({ state }: any) => state === 'broken').map(({ name }: any) => name);

describe('an audit', () => {
  it('compares every replicated table, and while hundreds of rows a second go on changing raises no false alarm, in the copy and at the owner', async () => {
    const before = writes.written;
    for (const region of world.regions) {
      const asked = await Promise.all(['one', 'two'].map(() => world.ops(region, 'POST', '/ops/audits')));
      expect(new Set(asked.map(({ body }) => body.id)).size, 'one runs at a time').toBe(1);
      expect(asked.map(({ status }) => status)).toContain(200);
      const audit = await ended(world, region, asked[0]!.body.id);
      expect(audit.result.invariants.filter(({ state }: any) => state !== 'held')).toEqual([]);
      expect(audit).toMatchObject({ askedBy: 'operator', state: 'done', findings: { count: 0, items: [] }, result: { complete: true, alarm: false, missing: 0, different: 0, surplus: 0, undecided: 0 } });
      expect(await metric(region, 'homeward_audit_alarm')).toBe(0);
      if (region === 'east') continue;
      const { tables } = audit.result.owners.east;
      expect(Object.keys(tables).toSorted()).toEqual(TABLES.toSorted());
      for (const table of TABLES) expect(tables[table].rows, table).toBeGreaterThan(0);
      expect(tables.account.rows).toBeGreaterThanOrEqual(ACCOUNTS);
    }
    expect(writes.written).toBeGreaterThan(before);
  });

  it('with 200 divergences planted in every table finds exactly those; a repair is planned, applied, kept and audited, and brings both sides to equal, once', async () => {
    const planted = await plant(world, 'west', 'east');
    expect(planted).toHaveLength(200);
    const found = await audited(world, 'west');
    expect(told(found.findings.items as Planted[])).toEqual(told(planted));
    expect(found.result).toMatchObject({ complete: true, alarm: true, missing: 60, different: 80, surplus: 60 });
    expect(broken(found).filter((name) => MONEY.includes(name))).toEqual(MONEY);
    expect((await world.ops('west', 'GET', '/ops/status')).body.audit).toMatchObject({ id: found.id, alarm: true, findings: { missing: 60, different: 80, surplus: 60 } });
    expect(await metric('west', 'homeward_audit_findings')).toBe(200);
    expect((await audited(world, 'east')).result).toMatchObject({ missing: 0, different: 0, surplus: 0 });

    const plan = (await world.ops('west', 'POST', '/ops/repairs', { body: { audit: found.id } })).body;
    expect(plan).toMatchObject({ applied: false, remaining: 0 });
    expect(plan.steps.every(({ outcome }: any) => outcome === 'due')).toBe(true);
    expect(told(plan.steps)).toEqual(told(planted));

    const repair = (await world.ops('west', 'POST', '/ops/repairs', { body: { audit: found.id, apply: true } })).body;
    expect(repair).toMatchObject({ applied: true, remaining: 0 });
    expect(repair.steps.filter(({ outcome }: any) => outcome !== 'repaired')).toEqual([]);
    expect(repair.steps).toHaveLength(200);
    const kept = await world.sql<{ table_name: string; kind: string; row: any }>('west', 'SELECT table_name, kind, row FROM repair_kept WHERE repair = $1', [repair.id]);
    expect(kept).toHaveLength(200);
    for (const { kind, row } of kept) expect(row === null).toBe(kind === 'missing');
    expect(kept.filter(({ table_name }) => table_name === 'profile').map(({ row }) => JSON.stringify(row))).toContainEqual(expect.stringContaining('stranger'));

    const after = await ended(world, 'west', repair.audit);
    expect(after).toMatchObject({ askedBy: 'repair', findings: { count: 0 }, result: { complete: true, alarm: false } });
    expect(broken(after)).toEqual([]);
    expect((await world.ops('west', 'POST', '/ops/repairs', { body: { audit: found.id, apply: true } })).body).toMatchObject({ applied: true, steps: [], remaining: 0 });
    await writes.stop();
    await world.mustConverge();
    for (const table of TABLES) await eventually(() => world.mustBeEqual(table));
  });

  it('tells each invariant that is broken, with what breaks it, and none once it is mended', async () => {
    const user = await world.register('west');
    const all = breaches('west', 'east', user);
    const asReplica = (statements: readonly string[]) => world.sql('west', `BEGIN; SET LOCAL session_replication_role = replica; ${statements.join('; ')}; COMMIT`);
    // Those that would hide each other, being of one account or one entry, come in turns.
    const turns = [['one-account-per-identifier', 'account-has-its-slot-and-home', 'entries-sum-to-zero', 'balance-is-the-sum-of-its-postings', 'outbox-is-numbered', 'peers-know-no-event-that-was-not-given'], ['account-has-password-and-epoch', 'debits-stand-in-clearing'], ['credits-answer-debits']];
    expect(turns.flat().toSorted()).toEqual(Object.keys(all).toSorted());
    for (const turn of turns) {
      await asReplica(turn.map((name) => all[name]!.make));
      const { result } = await audited(world, 'west').finally(() => asReplica(turn.map((name) => all[name]!.unmake)));
      expect(result.alarm).toBe(true);
      for (const name of turn) {
        const told = result.invariants.find((invariant: any) => invariant.name === name);
        expect(told, name).toMatchObject({ state: 'broken', count: 1, evidence: [expect.stringContaining(all[name]!.evidence)] });
      }
    }
    const { result } = await audited(world, 'west');
    expect(result.invariants.filter(({ state }: any) => state !== 'held')).toEqual([]);
    expect(result.invariants.map(({ name }: any) => name)).toEqual(expect.arrayContaining(Object.keys(all)));
  });

  it('says nothing about rows whose channel is behind, and nothing about an owner that can not be asked', async () => {
    const client = new pg.Client({ connectionString: databaseUrl(world.address, 'west') });
    await client.connect();
    try {
      await client.query('BEGIN; LOCK TABLE profile IN SHARE MODE');
      await world.sql('east', `UPDATE profile SET version = version + 1 WHERE region = 'east'`);
      const behind = await audited(world, 'west');
      expect(behind).toMatchObject({ findings: { count: 0 }, result: { complete: false, alarm: false } });
      expect(behind.result.undecided).toBeGreaterThanOrEqual(ACCOUNTS);
    } finally {
      await client.end();
    }
    await world.cut('refuse');
    await world.untilCutSeen(['west']);
    const alone = await audited(world, 'west');
    expect(alone).toMatchObject({ findings: { count: 0 }, result: { complete: false, alarm: false, owners: { east: { unavailable: expect.any(String) } } } });
  });

  it('that is not there can be neither seen nor repaired', async () => {
    const nobody = '01a1fdb5-29c2-7119-a7c7-b7f7f6818842';
    expect(await world.ops('west', 'GET', `/ops/audits/${nobody}`)).toMatchObject({ status: 404 });
    expect(await world.ops('west', 'POST', '/ops/repairs', { body: { audit: nobody } })).toMatchObject({ status: 404 });
    expect(await world.ops('west', 'POST', '/ops/copies', { body: { peer: 'nowhere' } })).toMatchObject({ status: 404 });
  });
});

describe('a copy that an operator asks for', () => {
  it('brings what the peer has anew, and says so', async () => {
    const about = async () => (await world.ops('west', 'GET', '/ops/status')).body.peers.east.replication;
    const { rebuilds } = await about();
    await world.sql('west', `BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM profile WHERE region = 'east'; COMMIT`);
    expect(await world.ops('west', 'POST', '/ops/copies', { body: { peer: 'east' } })).toMatchObject({ status: 202 });
    await eventually(async () => expect(await about()).toMatchObject({ state: 'streaming', rebuilds: rebuilds + 1, lastRebuild: { reason: 'asked' } }), 30_000);
    await eventually(() => world.mustBeEqual('profile'));
  });
});
