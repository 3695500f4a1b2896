import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '#kernel/routing';
import { type Answer, eventually } from './harness/index.js';
import { type Client, Money } from './harness/money.js';
import { during, fileWorld, linkCut, mustBeProblem } from './situations.js';

const world = fileWorld();
const money = new Money(world);
const [east, west] = world.regions as [string, string];

/** Has a region ask the home to grant, as it does for a compensation. */
async function grant(from: string, { id, home }: Client, amount: number, key: string): Promise<void> {
  const payload = { kind: 'grant', to: home, account: id, key, amount, memo: 'Sorry for the wait' };
  await world.sql(from, `INSERT INTO outbox (stream, partition, version, key, payload) VALUES ('orders', $1, 1, $2, $3)`, [partitionOf(id, 4), id, JSON.stringify(payload)]);
}

async function vouchersOf(door: string, { tokens }: Client): Promise<any[]> {
  return (await world.api(door, 'GET', '/v1/vouchers', { token: tokens[door]! })).body.items;
}

function redeem(door: string, { tokens }: Client, voucher: string): Promise<Answer> {
  return world.api(door, 'POST', `/v1/vouchers/${voucher}/redeem`, { token: tokens[door]! });
}

/** Grants one, and waits until it shows in every region. */
async function granted(client: Client, amount: number): Promise<string> {
  await grant(client.home === east ? west : east, client, amount, randomUUID());
  const [voucher] = await eventually(async () => {
    const seen = await Promise.all(world.regions.map((door) => vouchersOf(door, client)));
    for (const vouchers of seen) expect(vouchers[0]).toMatchObject({ status: 'granted', amount });
    return seen[0]!;
  });
  return voucher.id;
}

describe('a voucher', () => {
  let ada: Client;
  let alan: Client;

  beforeAll(async () => {
    [ada, alan] = await Promise.all([money.client(east), money.client(west)]);
  });

  it('is granted by the account\'s home once per account and key, also when asked in both regions, and its account is told', async () => {
    const key = randomUUID();
    await Promise.all([grant(east, ada, 500, key), grant(west, ada, 500, key), grant(west, ada, 500, key)]);
    await eventually(async () => expect(await vouchersOf(west, ada)).toHaveLength(1));
    await world.settleAll();
    for (const door of world.regions) {
      const [voucher, ...more] = await vouchersOf(door, ada);
      expect(more).toEqual([]);
      expect(voucher).toEqual({ id: expect.any(String), amount: 500, currency: 'EUR', memo: 'Sorry for the wait', grantedAt: expect.any(String), status: 'granted' });
      expect(await money.told(door, ada.id, voucher.id)).toEqual(['voucher-granted']);
      expect((await world.api(door, 'GET', '/v1/vouchers?limit=1', { token: ada.tokens[door]! })).body).toEqual({ items: [voucher], next: null });
      expect(await vouchersOf(door, alan)).toEqual([]);
      mustBeProblem(await redeem(door, alan, voucher.id), 404, 'not-found');
      mustBeProblem(await redeem(door, ada, randomUUID()), 404, 'not-found');
    }
    expect(await money.balance(ada)).toBe(0);
  });

  it('credits the wallet once, also when redeemed in both regions at once, and each repetition answers the same', async () => {
    const voucher = await granted(alan, 70);
    const before = await money.balance(alan);
    const answers = await Promise.all([east, west, east, west].map((door) => redeem(door, alan, voucher)));
    for (const answer of answers) expect(answer, answer.text).toMatchObject({ status: 200, body: { id: voucher, status: 'redeemed', redeemedAt: expect.any(String) } });
    expect(await money.balance(alan)).toBe(before + 70);
    const consistency = answers[1]!.headers['homeward-consistency'] as string;
    const list = await world.api(east, 'GET', '/v1/vouchers', { token: alan.tokens[east]!, consistency });
    expect(list.body.items[0]).toEqual(answers[1]!.body);
    expect(await redeem(east, alan, voucher)).toMatchObject({ status: 200, body: answers[1]!.body });
  });

  describe('while the home is cut off', () => {
    let [both, waiting]: string[] = [];
    let consistency: string;
    const heal = during(world, linkCut(world, 'refuse'), async () => {
      both = await granted(ada, 90);
      waiting = await granted(ada, 30);
      await world.settleAll();
    });

    it('is redeemed when the home can be asked, and credits once, also where it was redeemed there meanwhile', async () => {
      for (const voucher of [both!, waiting!, both!, waiting!]) expect(await redeem(west, ada, voucher)).toMatchObject({ status: 202, body: { id: voucher, status: 'queued' } });
      const newest = async () => (await vouchersOf(west, ada)).slice(0, 2);
      expect(await newest()).toMatchObject([{ id: waiting, status: 'queued' }, { id: both, status: 'queued' }]);
      consistency = (await redeem(west, ada, waiting!)).headers['homeward-consistency'] as string;
      expect((await world.api(west, 'GET', '/v1/vouchers', { token: ada.tokens[west]!, consistency })).headers['homeward-read']).toBe('local');
      // The home can't know of it: what it shows is marked.
      const atHome = await world.api(east, 'GET', '/v1/vouchers', { token: ada.tokens[east]!, consistency });
      expect(atHome.headers['homeward-read']).toBe('stale');
      expect(atHome.body.items[0]).toMatchObject({ id: waiting, status: 'granted' });
      mustBeProblem(await redeem(west, ada, randomUUID()), 503, 'home-unavailable', { home: east });
      expect((await redeem(east, ada, both!)).status).toBe(200);
      await heal();
      await eventually(async () => expect(await newest()).toMatchObject([{ id: waiting, status: 'redeemed' }, { id: both, status: 'redeemed' }]));
      await world.mustConverge();
      expect(await money.balance(ada)).toBe(90 + 30);
      expect((await world.api(east, 'GET', '/v1/vouchers', { token: ada.tokens[east]!, consistency })).headers['homeward-read']).toBe('local');
      await money.booksMustAgree();
    });
  });
});
