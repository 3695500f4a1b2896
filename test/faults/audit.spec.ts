import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oldOutboxBatch } from '../regions/audit/breaches.js';
import { audited, makeRows, told } from '../regions/audit/drive.js';
import { type Planted, plant } from '../regions/audit/plants.js';
import { removeRows } from '../regions/audit/rows.js';
import type { Writes } from '../regions/audit/writes.js';
import { eventually, sharedWorld } from '../regions/harness/index.js';
import { withRedis } from '../regions/harness/stores.js';

const world = sharedWorld();
const ACCOUNTS = 100_000;
let writes: Writes;

beforeAll(async () => {
  writes = await makeRows(world, 'east', ACCOUNTS);
  await world.settleAll(200_000);
  await writes.run();
});
afterAll(async () => {
  await writes.stop();
  await removeRows(world);
});

/** Told, not asserted: a busy machine is not the auditor's matter (test/tidy: no timed assertions). */
function tell(what: string, audit: any, writtenBefore: number): void {
  const { tookMs, rows } = audit.result;
  process.stdout.write(`${what}: ${rows} rows compared in ${tookMs} ms, ${Math.round((writes.written - writtenBefore) / (tookMs / 1_000))} writes/s beside it\n`);
}

describe('an audit of 100,000 accounts', () => {
  it('finds 200 divergences planted in every table and nothing else while writes go on, and a repair brings both sides to equal', async () => {
    let before = writes.written;
    const clean = await audited(world, 'west');
    tell('nothing planted', clean, before);
    expect(clean).toMatchObject({ findings: { count: 0 }, result: { complete: true, alarm: false, undecided: 0 } });
    expect(clean.result.owners.east.tables.account.rows).toBeGreaterThanOrEqual(ACCOUNTS);
    const planted = await plant(world, 'west', 'east');
    before = writes.written;
    const found = await audited(world, 'west');
    tell('200 planted', found, before);
    expect(told(found.findings.items as Planted[])).toEqual(told(planted));
    const again = await audited(world, 'west');
    expect(told(again.findings.items as Planted[])).toEqual(told(planted));
    expect(again.findings.items[0].firstSeenAt).toBe(found.findings.items[0].firstSeenAt);
    expect(again.findings.items[0].lastSeenAt > found.findings.items[0].lastSeenAt).toBe(true);
    const repair = (await world.ops('west', 'POST', '/ops/repairs', { body: { audit: again.id, apply: true } })).body;
    expect(repair.steps.filter(({ outcome }: any) => outcome !== 'repaired')).toEqual([]);
    await writes.stop();
    await world.mustConverge();
    expect((await world.ops('west', 'GET', '/ops/status')).body.audit.findings).toEqual({ missing: 0, different: 0, surplus: 0 });
  });

  it('tells what the peers have not confirmed and what Redis lacks for long, once they have been there for long, and holds when that is mended', async () => {
    const { id } = await world.register('west');
    // What Redis has of the account is not what its scripts expect, so its ending can't be brought there.
    const spoilt = `a:${id}`;
    await withRedis(world, 'west', (redis) => redis.set(spoilt, 'no hash'));
    await world.sql('west', oldOutboxBatch);
    const [pending] = await world.sql<{ id: string }>('west', `INSERT INTO redis_pending (account, created_at) VALUES ($1, now() - interval '5 minutes') RETURNING id`, [id]);
    try {
      await eventually(async () => {
        const { result } = await audited(world, 'west');
        expect(result.invariants).toContainEqual({ name: 'outbox-is-confirmed', state: 'broken', count: 1, evidence: [expect.stringContaining('nobody')] });
        expect(result.invariants).toContainEqual({ name: 'redis-has-the-endings', state: 'broken', count: 1, evidence: [`pending ${pending!.id}`] });
        expect(result.alarm).toBe(true);
      }, 120_000);
    } finally {
      await world.sql('west', `DELETE FROM outbox_batch WHERE stream = 'nobody'`);
      await withRedis(world, 'west', (redis) => redis.del(spoilt));
    }
    await world.settleAll();
    const { result } = await audited(world, 'west');
    for (const name of ['outbox-is-confirmed', 'redis-has-the-endings']) expect(result.invariants).toContainEqual({ name, state: 'held', count: 0, evidence: [] });
  });

  it('of which a whole table is gone says that it is too much to repair, and a copy that is asked for brings it back', async () => {
    await world.sql('west', `BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM profile WHERE region = 'east'; COMMIT`);
    const lost = await audited(world, 'west');
    expect(lost.result.owners.east.tables.profile).toMatchObject({ truncated: true, different: 0, surplus: 0, undecided: 0 });
    expect(lost.result).toMatchObject({ complete: false, alarm: true });
    expect((await world.ops('west', 'POST', '/ops/copies', { body: { peer: 'east' } })).status).toBe(202);
    await eventually(() => world.mustBeEqual('profile'), 60_000);
    expect(await audited(world, 'west')).toMatchObject({ findings: { count: 0 }, result: { complete: true, alarm: false } });
  });
});
