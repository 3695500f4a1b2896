import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Answer, type User, eventually, sharedWorld } from './harness/index.js';
import { mustBeProblem, untilKnownEverywhere } from './situations.js';

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
    mustBeProblem(await compensate(east, { ...asked, amount: 501 }), 409, 'idempotency-key-reused');
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

  it('that the home of an account can not grant is kept aside there with the reason, holds up nothing else, and is granted by a replay once it can be', async () => {
    const user = await known(west);
    const asked = { accounts: [user.id], amount: 7, key: randomUUID() };
    const SET = `UPDATE money_issued SET total = total + $1 WHERE kind = 'vouchers'`;
    const [issued] = await world.sql<{ total: number }>(west, 'SELECT sum(total)::float8 AS total FROM money_issued');
    const left = Math.floor(Number.MAX_SAFE_INTEGER / 2) - issued!.total;
    await world.sql(west, SET, [left]);
    expect((await compensate(east, asked)).body).toEqual({ granted: 0, sent: 1, unknown: [] });
    const letterOf = async (): Promise<any> => (await world.ops(west, 'GET', '/ops/dead-letters?limit=200')).body.items.find(({ body }: { body: string }) => body.includes(asked.key));
    const letter = await eventually(async () => {
      const found = await letterOf();
      expect(found).toMatchObject({ writer: east, stream: 'orders', reason: 'refused', detail: expect.stringContaining('may issue'), replayedAt: null });
      return found;
    });
    const replay = async () => (await world.ops(west, 'POST', `/ops/dead-letters/${letter.id}/replay`)).body;
    expect(await replay()).toMatchObject({ outcome: 'refused', detail: letter.detail });
    await world.sql(west, SET, [-left]);
    await compensate(east, { accounts: [user.id], amount: 5, key: randomUUID() });
    await eventually(async () => expect(await vouchersOf(user)).toMatchObject([{ amount: 5, status: 'granted' }]));
    expect(await replay()).toEqual({ outcome: 'replayed', followers: 0 });
    await eventually(async () => expect(await vouchersOf(user)).toMatchObject([{ amount: 7, status: 'granted' }, { amount: 5 }]));
    expect((await letterOf()).replayedAt).not.toBeNull();
    await world.mustConverge();
  });
});
