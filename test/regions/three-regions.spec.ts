import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evenTable } from '#kernel/routing';
import { audited, ended, told } from './audit/drive.js';
import { eventually } from './harness/index.js';
import { Money } from './harness/money.js';
import { ThreeRegions } from './three-regions.js';

/** Long enough for every timeout in the service; test/faults/three-regions.spec.ts has the 90 s of issue 3. */
const CUT_MS = 20_000;
const HOUR_MS = 3_600_000;

let three: ThreeRegions;

beforeAll(async () => {
  three = await ThreeRegions.start();
});
afterAll(() => three.stop());

describe('three regions', () => {
  it('share the slots in even thirds, contiguous and in the order of their names, and all say so', async () => {
    const { world } = three;
    const homes = new Map<number, string>();
    for (let count = 0; count < 60; count += 1) {
      const identifier = world.identifier(world.regions[count % 3]!);
      const answers = await Promise.all(world.regions.map((region) => world.api(region, 'GET', `/v1/route?identifier=${identifier}`)));
      for (const { status, body } of answers) expect({ status, body }).toEqual({ status: 200, body: answers[0]!.body });
      expect(answers[0]!.body.home).toBe(world.regions[count % 3]);
      homes.set(answers[0]!.body.slot, answers[0]!.body.home);
    }
    const inOrder = [...homes].sort(([a], [b]) => a - b).map(([, home]) => home);
    expect(inOrder.filter((home, index) => home !== inOrder[index - 1])).toEqual(['east', 'north', 'west']);
    const table = evenTable([...world.regions]);
    const sizes = table.ranges.map(({ from, to }) => to - from + 1);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1_024);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    const statuses = await Promise.all(world.regions.map((region) => world.ops(region, 'GET', '/ops/status')));
    expect(new Set(statuses.map(({ body }) => body.routes.digest)).size).toBe(1);
  });

  it('cancel and settle through a third region what waits in one that is cut off from the home, once, and its request finds it decided', async () => {
    const { world } = three;
    const money = new Money(world);
    const [payer, payee] = await Promise.all([money.client('east', 100), money.client('north')]);
    await world.settleAll();
    await world.cut('refuse', { between: ['east', 'west'] });
    await world.untilCutSeen(['west'], 'east');
    const keys = ['given-up', 'given-again'];
    const queued = await Promise.all(keys.map((key) => money.order('west', payer, payee.id, 60, { key })));
    for (const answer of queued) expect(answer, answer.text).toMatchObject({ status: 202, body: { status: 'queued', acceptedBy: 'west' } });
    for (const { body } of queued) await money.untilShown(payer, body.id, { status: 'queued' }, ['north']);
    // The home has heard of neither: the cancel leaves a tombstone, the order is decided as the region that can reach it gives it.
    expect(await money.cancel('north', payer, queued[0]!.body.id)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    expect(await money.order('north', payer, payee.identifier, 60, { key: keys[1]! })).toMatchObject({ status: 202, body: { id: queued[1]!.body.id, status: 'settled' } });
    await world.heal(['east', 'west']);
    for (const [index, status] of ['cancelled', 'settled'].entries()) await money.untilShown(payer, queued[index]!.body.id, { status });
    await world.mustConverge();
    expect([await money.balance(payer), await money.balance(payee)]).toEqual([40, 60]);
    for (const region of world.regions) {
      expect(await money.told(region, payer.id, queued[0]!.body.id)).toEqual(['transfer-cancelled']);
      expect(await money.told(region, payee.id, queued[1]!.body.id)).toEqual(['transfer-received']);
    }
    await money.booksMustAgree();
  });

  it('tell a payer once of an order that waits past its time in two of them', async () => {
    const { world } = three;
    const money = new Money(world);
    const [payer, payee] = await Promise.all([money.client('east', 100), money.client('north')]);
    await world.settleAll();
    const waits = ['west', 'north'];
    try {
      await Promise.all(waits.map((region) => world.cut('refuse', { between: ['east', region] })));
      await world.untilCutSeen(waits, 'east');
      const [one, other] = await Promise.all(waits.map((region) => money.order(region, payer, payee.id, 30, { key: 'overdue' })));
      for (const answer of [one!, other!]) expect(answer, answer.text).toMatchObject({ status: 202, body: { id: one!.body.id, status: 'queued' } });
      for (const region of world.regions) await world.clock(region, 25 * HOUR_MS);
      const { id } = one!.body;
      for (const region of waits) await eventually(async () => expect(await world.sql(region, `SELECT 1 FROM notification WHERE subject = $1 AND kind = 'transfer-overdue'`, [id])).toHaveLength(2));
      for (const region of waits) expect(await money.told(region, payer.id, id)).toEqual(['transfer-overdue']);
      await Promise.all(waits.map((region) => world.heal(['east', region])));
      await money.untilShown(payer, id, { status: 'failed', reason: 'expired' });
      await world.mustConverge();
      for (const region of world.regions) expect(await money.told(region, payer.id, id)).toEqual(['transfer-failed', 'transfer-overdue']);
    } finally {
      await Promise.all(waits.map((region) => world.heal(['east', region])));
      for (const region of world.regions) await world.clock(region, 0);
      await world.settleAll();
    }
  });

  it('faults 12: do not notice that one is cut off, and its silence ends within seconds of healing, without restarting anything', () => three.cutOneOff(CUT_MS), 240_000);

  it('audit their copies of each owner apart: an epoch that nobody knows is told once, and a row that an owner has is found at that owner', async () => {
    const { world } = three;
    const user = await world.register('north');
    await world.settleAll();
    const stranger = randomUUID();
    await world.sql('west', `INSERT INTO credential_epoch (account, epoch) VALUES ('${stranger}', 1); DELETE FROM account WHERE id = '${user.id}'`);
    const found = await audited(world, 'west');
    expect(told(found.findings.items)).toEqual([`account missing ${user.id}`, `credential_epoch surplus ${stranger}`]);
    expect(found.findings.items.find(({ table }: any) => table === 'account').owner).toBe('north');
    const { body } = await world.ops('west', 'POST', '/ops/repairs', { body: { audit: found.id, apply: true } });
    expect(body.steps.map(({ outcome }: any) => outcome)).toEqual(['repaired', 'repaired']);
    expect((await ended(world, 'west', body.audit)).result).toMatchObject({ complete: true, alarm: false, owners: { east: {}, north: {} } });
  });
});
