import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOfKey, transferId } from '#features/transfers';
import { partitionOf } from '#kernel/routing';
import { eventually } from './harness/index.js';
import { type Client, Money } from './harness/money.js';
import { AT_ONCE_MS, CLOSED_MS, during, fileWorld, linkCut, mustBeProblem } from './situations.js';

const world = fileWorld();
const money = new Money(world);
const [east, west] = world.regions as [string, string];

/** A request that was taken in west, and what it must have become everywhere. */
interface Expected {
  readonly payer: Client;
  readonly id: string;
  readonly members: Record<string, unknown>;
  readonly told: string[];
}

describe('while the payer\'s home is cut off', () => {
  const expected: Expected[] = [];
  let ada: Client;
  let poor: Client;
  let changer: Client;
  let grace: Client;
  let alan: Client;
  let edsger: Client;
  let asked: { key: string; id: string };
  const heal = during(world, linkCut(world, 'blackhole'), async () => {
    [ada, poor, changer, grace, alan, edsger] = await Promise.all([money.client(east, 1_000), money.client(east, 100), money.client(east, 50), money.client(east), money.client(west), money.client(west, 500)]);
    await world.settleAll();
  });

  it('a transfer is taken as a request at once, durably, and shown as queued', async () => {
    const key = randomUUID();
    const answer = await money.order(west, ada, alan.identifier, 300, { key, memo: 'Rent' });
    expect(answer, answer.text).toMatchObject({ status: 202, headers: { location: `/v1/transfers/${answer.body.id}`, 'homeward-home': east, 'homeward-consistency': expect.any(String) } });
    expect(answer.ms).toBeLessThan(AT_ONCE_MS);
    expect(answer.body).toEqual({ id: expect.any(String), payer: ada.id, payee: alan.id, amount: 300, currency: 'EUR', memo: 'Rent', status: 'queued', requestedAt: expect.any(String), acceptedBy: west });
    expect((await world.api(west, 'GET', answer.headers['location'] as string, { token: ada.tokens[west]! })).body).toEqual(answer.body);
    expect((await world.api(west, 'GET', '/v1/transfers', { token: ada.tokens[west]! })).body.items).toEqual([answer.body]);
    asked = { key, id: answer.body.id };
    expected.push({ payer: ada, id: answer.body.id, members: { status: 'settled', acceptedBy: west }, told: ['transfer-settled'] });
  });

  it('given again it is the same request; under the same key with another body it is refused', async () => {
    const repeated = await money.order(west, ada, alan.id, 300, { key: asked.key, memo: 'Rent' });
    expect(repeated).toMatchObject({ status: 202, body: { id: asked.id, status: 'queued' }, headers: { location: `/v1/transfers/${asked.id}` } });
    mustBeProblem(await money.order(west, ada, alan.id, 300, { key: asked.key }), 409, 'idempotency-key-reused');
    mustBeProblem(await money.order(west, ada, alan.id, 301, { key: asked.key, memo: 'Rent' }), 409, 'idempotency-key-reused');
  });

  it('the wallet shows the replicated balance, as of when, and what is ordered', async () => {
    const { body, headers } = await money.wallet(west, ada);
    const ordered = await money.order(west, ada, alan.identifier, 300, { key: asked.key, memo: 'Rent' });
    const consistency = ordered.headers['homeward-consistency'] as string;
    expect((await money.wallet(west, ada, { consistency })).headers['homeward-read']).toBe('local');
    // The home can't know of the order: what it shows is marked.
    expect(await money.wallet(east, ada, { consistency })).toMatchObject({ status: 200, headers: { 'homeward-read': 'stale' }, body: { authoritative: true, pendingOut: 0 } });
    expect(body).toEqual({ balance: 1_000, currency: 'EUR', asOf: expect.any(String), home: east, authoritative: false, pendingOut: 300 });
    expect(headers['homeward-read']).toBe('local');
    expect(Date.parse(body.asOf)).toBeLessThan(Date.now() - 500);
    const atHome = await money.wallet(east, ada);
    expect(atHome.body).toMatchObject({ authoritative: true, pendingOut: 0 });
    // A token of a row that has not come here: shown, and marked.
    const spent = await money.order(east, ada, grace.id, 1);
    expect((await money.wallet(west, ada, { consistency: spent.headers['homeward-consistency'] as string })).headers['homeward-read']).toBe('stale');
  });

  it('faults 38: the same order given at home too is settled there, and is that one transfer', async () => {
    const key = randomUUID();
    const queued = await money.order(west, ada, grace.id, 200, { key });
    const settled = await money.order(east, ada, grace.identifier, 200, { key });
    expect([queued.status, settled.status]).toEqual([202, 201]);
    expect(settled.body.id).toBe(queued.body.id);
    expected.push({ payer: ada, id: queued.body.id, members: { status: 'settled', acceptedBy: east }, told: ['transfer-settled'] });
  });

  it('the same key with another body given at home wins there, and the request fails', async () => {
    const key = randomUUID();
    const queued = await money.order(west, ada, grace.id, 11, { key });
    expect(queued.status).toBe(202);
    expect((await money.order(east, ada, grace.id, 12, { key })).status).toBe(201);
    expected.push({ payer: ada, id: queued.body.id, members: { status: 'failed', reason: 'idempotency-key-reused' }, told: ['transfer-failed'] });
  });

  it('faults 35: requests of one payer wait in their order, and each is paid with what the earlier ones left', async () => {
    for (const [amount, members, told] of [[60, { status: 'settled' }, ['transfer-settled']], [60, { status: 'failed', reason: 'insufficient-funds' }, ['transfer-failed']], [40, { status: 'settled' }, ['transfer-settled']]] as const) {
      const answer = await money.order(west, poor, alan.id, amount);
      expect(answer.status).toBe(202);
      expected.push({ payer: poor, id: answer.body.id, members, told: [...told] });
    }
    expect((await money.wallet(west, poor)).body).toMatchObject({ balance: 100, pendingOut: 160 });
  });

  it('an order of a session that a new password has ended at home is not paid', async () => {
    const changed = await world.api(east, 'PUT', '/v1/password', { token: changer.tokens[east]!, body: { current: changer.password, next: `${changer.password}-next` } });
    expect(changed.status).toBe(204);
    const answer = await money.order(west, changer, alan.id, 10);
    expect(answer.status).toBe(202);
    expected.push({ payer: changer, id: answer.body.id, members: { status: 'failed', reason: 'credential-superseded' }, told: ['transfer-failed'] });
  });

  it('a request is cancelled by asking the home, whenever it can be asked', async () => {
    const queued = await money.order(west, ada, alan.id, 77);
    for (let times = 0; times < 2; times += 1) expect(await money.cancel(west, ada, queued.body.id)).toMatchObject({ status: 202, body: { id: queued.body.id, status: 'queued' } });
    mustBeProblem(await money.cancel(west, alan, queued.body.id), 404, 'not-found');
    expected.push({ payer: ada, id: queued.body.id, members: { status: 'cancelled' }, told: ['transfer-cancelled'] });
  });

  it('a cancel that comes before its request leaves a tombstone, and the order is not paid', async () => {
    const key = randomUUID();
    const content = { payer: ada.id, payee: alan.id, amount: 88 };
    const order = { ...content, id: transferId(content, digestOfKey(key)), payeeHome: west, key: digestOfKey(key), session: digestOfKey('any'), epoch: 1, acceptedBy: west, requestedAt: new Date().toISOString() };
    // As a third region would have sent it, which learnt of the request before the home did.
    await world.sql(west, `INSERT INTO outbox (stream, partition, version, key, payload) VALUES ('orders', $1, 1, $2, $3)`, [partitionOf(ada.id, 4), ada.id, JSON.stringify({ kind: 'cancel', to: east, ...order })]);
    const answer = await money.order(west, ada, alan.id, 88, { key });
    expect(answer).toMatchObject({ status: 202, body: { id: order.id, status: 'queued' } });
    expected.push({ payer: ada, id: order.id, members: { status: 'cancelled' }, told: ['transfer-cancelled'] });
  });

  it('a payee who is not known here and can\'t be asked for is told apart from one who does not exist', async () => {
    mustBeProblem(await money.order(west, ada, world.identifier(west), 1), 404, 'payee-unknown');
    mustBeProblem(await money.order(west, ada, world.identifier(east), 1), 503, 'home-unavailable', { home: east });
    mustBeProblem(await money.order(west, ada, randomUUID(), 1), 503, 'home-unavailable', { home: east });
  });

  it('the other region\'s own payer is settled at once, and its payee beyond the cut gets it later', async () => {
    const answer = await money.order(west, edsger, grace.id, 120);
    expect(answer).toMatchObject({ status: 201, body: { status: 'settled' } });
    expect(answer.ms).toBeLessThan(AT_ONCE_MS);
    expect(answer.body).not.toHaveProperty('creditedAt');
    expect((await money.one(west, edsger, answer.body.id)).body).not.toHaveProperty('creditedAt');
    expected.push({ payer: edsger, id: answer.body.id, members: { status: 'settled' }, told: ['transfer-settled'] });
  });

  it('the region says how many requests wait and for how long', async () => {
    const { body } = await world.ops(west, 'GET', '/ops/status');
    expect(body.queuedTransfers).toBe(9);
    expect(body.oldestQueuedTransferMs).toBeGreaterThan(0);
    expect((await world.ops(west, 'GET', '/metrics')).text).toMatch(/homeward_transfers_queued\{[^}]*\} 9\n/);
  });

  it('after healing each has one final status, the same in all regions, and its users were told once', async () => {
    await heal();
    for (const { payer, id, members } of expected) {
      const client = payer === changer ? { ...payer, tokens: await freshTokens(payer) } : payer;
      await money.untilShown(client, id, members);
    }
    await world.mustConverge();
    for (const region of world.regions) {
      for (const { payer, id, told } of expected) expect(await money.told(region, payer.id, id), id).toEqual(told);
      await eventually(async () => expect((await world.ops(region, 'GET', '/ops/status')).body.queuedTransfers).toBe(0));
    }
    expect(await money.balance(ada)).toBe(1_000 - 1 - 300 - 200 - 12);
    expect(await money.balance(poor)).toBe(0);
    expect(await money.balance(changer)).toBe(50);
    expect(await money.balance(alan)).toBe(300 + 60 + 40);
    expect(await money.balance(grace)).toBe(1 + 200 + 12 + 120);
    await money.booksMustAgree();
    for (const { payer, id, members } of expected) if (members['status'] === 'settled' && payer !== edsger) expect((await money.one(west, payer, id)).body.creditedAt).toEqual(expect.any(String));
  });

  it('after healing a repetition is answered as it was first, with what has become of it', async () => {
    for (const door of world.regions) {
      const repeated = await money.order(door, ada, alan.id, 300, { key: asked.key, memo: 'Rent' });
      expect(repeated).toMatchObject({ status: 202, body: { id: asked.id, status: 'settled' }, headers: { location: `/v1/transfers/${asked.id}` } });
      mustBeProblem(await money.order(door, ada, alan.id, 300, { key: asked.key }), 409, 'idempotency-key-reused');
    }
  });

  async function freshTokens(client: Client): Promise<Record<string, string>> {
    const password = `${client.password}-next`;
    return Object.fromEntries(await Promise.all(world.regions.map(async (region) => [region, await world.signIn(region, { ...client, password })])));
  }
});

describe('a request past its time', () => {
  const HOUR = 3_600_000;
  let late: Client;
  let behind: Client;
  let payee: Client;

  beforeAll(async () => {
    [late, behind, payee] = await Promise.all([money.client(east, 100), money.client(east, 100), money.client(west)]);
    await world.settleAll();
  });
  afterAll(async () => {
    await world.heal();
    for (const region of world.regions) await world.clock(region, 0);
  });

  it('shows as overdue where it waits and its payer is told; only the home lets it expire, and the incident says so', async () => {
    await world.cut('refuse');
    await world.untilCutSeen();
    const { body } = await money.order(west, late, payee.id, 30);
    for (const region of world.regions) await world.clock(region, 25 * HOUR);
    expect((await money.one(west, late, body.id)).body).toMatchObject({ status: 'queued', overdue: true });
    await eventually(async () => expect(await money.told(west, late.id, body.id)).toEqual(['transfer-overdue']));
    const touched = () => world.sql(west, 'SELECT what FROM incident_account WHERE account = $1 ORDER BY what', [late.id]);
    // A cut that ends sooner is none.
    await eventually(async () => expect(await touched()).toEqual([{ what: 'transfer-queued' }]));
    await world.heal();
    await money.untilShown(late, body.id, { status: 'failed', reason: 'expired', overdue: undefined });
    expect(await money.balance(late)).toBe(100);
    for (const region of world.regions) await world.clock(region, 0);
    await world.settleAll();
    await eventually(async () => expect(await touched()).toEqual([{ what: 'transfer-expired' }, { what: 'transfer-queued' }]), CLOSED_MS);
  });

  it('is not taken for one because the clock of the region that took it is behind', async () => {
    await world.clock(west, -25 * HOUR);
    // The home translates by the skew that it knows, and learns it by a heartbeat (docs/decisions/0013).
    await eventually(async () => expect((await world.ops(east, 'GET', '/ops/status')).body.peers[west].clockSkewMs).toBeLessThan(-24 * HOUR));
    await world.cut('refuse');
    await world.untilCutSeen();
    const { body } = await money.order(west, behind, payee.id, 30);
    await world.heal();
    await money.untilShown(behind, body.id, { status: 'settled' });
    await world.clock(west, 0);
    await world.mustConverge();
    await money.booksMustAgree();
  });
});
