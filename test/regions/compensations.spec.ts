import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Answer, type User, eventually, sharedWorld } from './harness/index.js';
import { mustBeProblem, untilKnownEverywhere, untilQuiet } from './situations.js';

const world = sharedWorld();
const [east, west] = world.regions as [string, string];

const compensate = (region: string, body: object): Promise<Answer> => world.ops(region, 'POST', '/ops/compensations', { body });

async function known(home: string): Promise<User> {
  const user = await world.register(home);
  await untilKnownEverywhere(world, user.id);
  return user;
}

/** The vouchers that an account sees, which are the same in every region. */
async function vouchersOf(user: User): Promise<any[]> {
  const token = await world.signIn(user.home, user);
  const lists = await eventually(async () => {
    const answers = await Promise.all(world.regions.map((region) => world.api(region, 'GET', '/v1/vouchers', { token })));
    const [first, second] = answers.map(({ body }) => body.items);
    expect(second).toEqual(first);
    return first;
  });
  return lists;
}

describe('a compensation', () => {
  it('grants each account one voucher, at its home, also when it is asked for in both regions at once and again', async () => {
    const users = [await known(east), await known(west)];
    const asked = { accounts: [users[0]!.id, users[1]!.identifier], amount: 500, memo: 'Sorry for the trouble', key: randomUUID() };
    const answers = await Promise.all([east, west, east].map((region) => compensate(region, asked)));
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { granted: 1, sent: 1, unknown: [] } });
    for (const user of users) await eventually(async () => expect(await vouchersOf(user)).toMatchObject([{ amount: 500, memo: 'Sorry for the trouble', status: 'granted' }]));
    await world.settleAll();
    expect((await compensate(west, asked)).body).toEqual({ granted: 1, sent: 1, unknown: [] });
    await world.settleAll();
    for (const user of users) {
      expect(await vouchersOf(user)).toHaveLength(1);
      const token = await world.signIn(user.home, user);
      for (const region of world.regions) {
        const { items } = (await world.api(region, 'GET', '/v1/notifications', { token })).body;
        expect(items).toMatchObject([{ kind: 'voucher-granted', text: { body: expect.stringContaining('Sorry for the trouble') }, data: { amount: 500 } }]);
      }
    }
  });

  it('reaches everybody whom an incident touched, once, also those whose home is cut off, whichever side is asked', async () => {
    await untilQuiet(world);
    const [asked, paying] = [await known(east), await known(east)];
    const token = await world.signIn(east, asked);
    const before = new Set((await world.ops(west, 'GET', '/ops/incidents')).body.items.flatMap(({ ids }: { ids: string[] }) => ids));
    await world.cut();
    await world.untilCutSeen();
    await eventually(async () => mustBeProblem(await world.check(west, token), 401, 'session-origin-unavailable'));
    const mine = await world.signIn(west, paying);
    expect(await world.api(west, 'POST', '/v1/transfers', { token: mine, key: randomUUID(), body: { payee: asked.id, amount: 100 } })).toMatchObject({ status: 202, body: { status: 'queued' } });
    const incident = await eventually(async () => {
      const seen = (await world.ops(west, 'GET', '/ops/incidents')).body.items.find(({ ids }: { ids: string[] }) => !ids.some((id) => before.has(id)));
      expect(seen.accounts).toMatchObject({ 'session-regenerated': 1, 'transfer-queued': 1 });
      return seen;
    });
    const key = randomUUID();
    expect(await compensate(west, { incident: incident.id, amount: 250, key })).toMatchObject({ status: 200, body: { incident: incident.id, closed: false, granted: 0, sent: 2, unknown: [] } });
    for (const region of world.regions) expect(await world.sql(region, 'SELECT 1 FROM voucher WHERE account = $1', [asked.id])).toEqual([]);
    await world.heal();
    for (const user of [asked, paying]) await eventually(async () => expect(await vouchersOf(user)).toMatchObject([{ amount: 250, status: 'granted' }]));
    await untilQuiet(world);
    for (const region of world.regions) {
      const { body } = await eventually(async () => {
        const answer = await world.ops(region, 'GET', `/ops/incidents/${incident.id}/accounts`);
        expect(answer.body.items.find(({ account }: { account: string }) => account === paying.id)).toMatchObject({ what: ['transfer-failed', 'transfer-queued'] });
        return answer;
      });
      expect(body.items.map(({ account }: { account: string }) => account)).toEqual([asked.id, paying.id].toSorted());
      const again = await compensate(region, { incident: incident.id, amount: 250, key });
      expect(again).toMatchObject({ status: 200, body: { closed: true, unknown: [] } });
      expect(again.body.granted + again.body.sent).toBe(2);
    }
    await world.settleAll();
    for (const user of [asked, paying]) expect(await vouchersOf(user)).toHaveLength(1);
    await world.mustConverge();
  });

  it('tells which accounts nobody knows, and refuses what is no compensation', async () => {
    const user = await known(east);
    const [unknown, key] = [randomUUID(), randomUUID()];
    expect((await compensate(west, { accounts: [unknown, user.id], amount: 1, key })).body).toEqual({ granted: 0, sent: 1, unknown: [unknown] });
    mustBeProblem(await compensate(east, { incident: randomUUID(), amount: 1, key }), 404, 'not-found');
    const wrong = [
      { amount: 1, key }, { accounts: [user.id], incident: randomUUID(), amount: 1, key }, { accounts: [], amount: 1, key }, { accounts: [user.id], amount: 0, key }, { accounts: [user.id], amount: -1, key },
      { accounts: [user.id], amount: 1.5, key }, { accounts: [user.id], amount: '1', key }, { accounts: [user.id], amount: 2 ** 53, key }, { accounts: [user.id], amount: 1 }, { accounts: [user.id], amount: 1, key: 'two words' },
    ];
    for (const body of wrong) mustBeProblem(await compensate(east, body), 400, 'invalid-request');
    for (const path of ['/ops/compensations', '/ops/announcements']) mustBeProblem(await world.ops(east, 'POST', path, { token: 'wrong' }), 401, 'session-invalid');
    for (const path of ['/ops/incidents', '/ops/undelivered', '/ops/announcements']) mustBeProblem(await world.ops(east, 'GET', path, { token: 'wrong' }), 401, 'session-invalid');
    expect((await world.api(east, 'GET', '/ops/incidents')).status).toBe(404);
  });
});
