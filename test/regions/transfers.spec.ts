import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Client, Money } from './harness/money.js';
import { eventually } from './harness/index.js';
import { fileWorld, mustBeProblem } from './situations.js';

const world = fileWorld();
const money = new Money(world);
const [east, west] = world.regions as [string, string];

describe('where the payer\'s home can be reached, a transfer', () => {
  let ada: Client;
  let grace: Client;
  let alan: Client;

  beforeAll(async () => {
    [ada, grace, alan] = await Promise.all([money.client(east, 10_000), money.client(east), money.client(west)]);
  });

  it('within the home is settled and credited at once, whoever is asked, and both users are told', async () => {
    for (const [door, read] of [[east, 'local'], [west, 'second']] as const) {
      const before = [await money.balance(ada), await money.balance(grace)] as const;
      const answer = await money.order(door, ada, grace.identifier, 250, { memo: 'Lunch' });
      expect(answer, answer.text).toMatchObject({ status: 201, headers: { 'homeward-home': east, 'homeward-read': read, 'homeward-consistency': expect.any(String) } });
      expect(answer.body).toEqual({
        id: expect.any(String), payer: ada.id, payee: grace.id, amount: 250, currency: 'EUR', memo: 'Lunch', status: 'settled', requestedAt: expect.any(String), settledAt: expect.any(String),
        creditedAt: answer.body.settledAt, acceptedBy: door,
      });
      expect([await money.balance(ada), await money.balance(grace)]).toEqual([before[0] - 250, before[1] + 250]);
      expect(await money.legs(answer.body.id)).toEqual([`${east}: debit account -250`, `${east}: credit account 250`]);
      expect(await money.told(east, ada.id, answer.body.id)).toEqual(['transfer-settled']);
      expect(await money.told(east, grace.id, answer.body.id)).toEqual(['transfer-received']);
      await money.untilShown(ada, answer.body.id, { status: 'settled', creditedAt: answer.body.creditedAt });
    }
  });

  it('to a payee elsewhere is settled at once and credited there, by way of both clearing books', async () => {
    for (const door of [east, west]) {
      const before = await money.balance(alan);
      const answer = await money.order(door, ada, alan.id, 300);
      expect(answer, answer.text).toMatchObject({ status: 201, body: { status: 'settled', payee: alan.id } });
      expect(answer.body).not.toHaveProperty('creditedAt');
      await eventually(async () => expect(await money.balance(alan)).toBe(before + 300));
      const book = `clearing:${east}>${west}`;
      expect(await money.legs(answer.body.id)).toEqual([`${east}: debit account -300`, `${east}: clearing ${book} 300`, `${west}: clearing ${book} -300`, `${west}: credit account 300`]);
      await eventually(async () => expect((await money.one(east, ada, answer.body.id)).body.creditedAt).toEqual(expect.any(String)));
      expect(await money.told(west, alan.id, answer.body.id)).toEqual(['transfer-received']);
    }
  });

  it('given again under its key, through any region, is the first answer; with another body it is refused', async () => {
    const key = randomUUID();
    const before = await money.balance(ada);
    const first = await money.order(west, ada, grace.id, 40, { key });
    expect(first.status).toBe(201);
    for (const door of [east, west, east]) {
      // By its identifier too: the same payee is the same order.
      expect(await money.order(door, ada, grace.identifier, 40, { key })).toMatchObject({ status: 201, body: first.body });
      mustBeProblem(await money.order(door, ada, grace.id, 41, { key }), 409, 'idempotency-key-reused');
      mustBeProblem(await money.order(door, ada, alan.id, 40, { key }), 409, 'idempotency-key-reused');
    }
    expect(await money.balance(ada)).toBe(before - 40);
  });

  it('given in both regions at once is one transfer', async () => {
    const before = await money.balance(ada);
    for (let round = 0; round < 5; round += 1) {
      const key = randomUUID();
      const answers = await Promise.all([east, west, east, west].map((door) => money.order(door, ada, alan.id, 10, { key })));
      for (const answer of answers) expect(answer, answer.text).toMatchObject({ status: 201, body: { id: answers[0]!.body.id, status: 'settled' } });
    }
    expect(await money.balance(ada)).toBe(before - 50);
  });

  it('of more than the wallet has is refused, now and at each repetition, and nobody is debited', async () => {
    const before = await money.balance(ada);
    const key = randomUUID();
    for (const door of [west, east, west]) mustBeProblem(await money.order(door, ada, grace.id, 1_000_000, { key }), 422, 'insufficient-funds');
    const { body } = await eventually(async () => {
      const list = await world.api(west, 'GET', '/v1/transfers?limit=1', { token: ada.tokens[west]! });
      expect(list.body.items[0]).toMatchObject({ amount: 1_000_000, status: 'failed', reason: 'insufficient-funds' });
      return list;
    });
    expect(await money.legs(body.items[0].id)).toEqual([]);
    expect(await money.balance(ada)).toBe(before);
  });

  it('of everything at once from many sides never makes a balance negative', async () => {
    const poor = await money.client(west, 100);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => money.order(world.regions[index % 2]!, poor, index % 3 === 0 ? ada.id : alan.id, 30)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, ...Array.from({ length: 9 }, () => 422)]);
    expect(await money.balance(poor)).toBe(10);
  });

  it('of more than 32 bits moves every unit of it', async () => {
    const [amount, before] = [2 ** 40 + 1, await money.balance(alan)];
    const rich = await money.client(east, amount + 1);
    expect(await money.order(west, rich, alan.id, amount)).toMatchObject({ status: 201, body: { amount } });
    await eventually(async () => expect((await money.wallet(west, alan)).body.balance).toBe(before + amount));
    expect((await money.wallet(east, rich)).body.balance).toBe(1);
  });

  it('is seen by its own writer at once in any region, with the newest token', async () => {
    const answer = await money.order(east, ada, grace.id, 5);
    const consistency = answer.headers['homeward-consistency'] as string;
    const shown = await money.one(west, ada, answer.body.id, { consistency });
    expect(shown, shown.text).toMatchObject({ status: 200, body: { status: 'settled' } });
    const list = await world.api(west, 'GET', '/v1/transfers?limit=1', { token: ada.tokens[west]!, consistency });
    expect(list.body.items[0].id).toBe(answer.body.id);
    const wallet = await money.wallet(west, ada, { consistency });
    expect(wallet).toMatchObject({ status: 200, headers: { 'homeward-read': 'second' }, body: { balance: await money.balance(ada), authoritative: true, home: east, pendingOut: 0, currency: 'EUR' } });
  });

  it('is listed newest first, page by page, and seen by its payee and nobody else', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) ids.unshift((await money.order(east, grace, alan.id, 1)).body.id);
    await world.settleAll();
    for (const door of world.regions) {
      const pages: string[] = [];
      for (let after = ''; pages.length < 5; ) {
        const page = await world.api(door, 'GET', `/v1/transfers?limit=2${after}`, { token: grace.tokens[door]! });
        pages.push(...page.body.items.map(({ id }: { id: string }) => id));
        after = `&after=${page.body.next}`;
      }
      expect(pages.slice(0, 5)).toEqual(ids);
      const list = async (limit: number): Promise<any> => (await world.api(door, 'GET', `/v1/transfers?limit=${limit}`, { token: grace.tokens[door]! })).body;
      const all = await list(200);
      expect(all.next).toBe(null);
      expect(await list(all.items.length)).toEqual(all);
      expect((await list(all.items.length - 1)).next).toEqual(expect.any(String));
      expect((await money.one(door, alan, ids[0]!)).status).toBe(200);
      mustBeProblem(await money.one(door, ada, ids[0]!), 404, 'not-found');
      mustBeProblem(await money.one(door, ada, randomUUID()), 404, 'not-found');
    }
  });

  it('that is settled can not be cancelled, and nobody else\'s can be', async () => {
    const answer = await money.order(east, ada, grace.id, 5);
    for (const door of [east, west]) {
      mustBeProblem(await money.cancel(door, ada, answer.body.id), 409, 'transfer-final');
      mustBeProblem(await money.cancel(door, grace, answer.body.id), 404, 'not-found');
      mustBeProblem(await money.cancel(door, ada, randomUUID()), 404, 'not-found');
    }
  });

  it('after all of it the books of both regions agree', async () => {
    await world.mustConverge();
    await money.booksMustAgree();
  });
});

describe('a deposit', () => {
  it('asked in both regions at once, by id and by identifier, is made once; with another amount it is refused', async () => {
    const user = await world.register(west);
    const key = randomUUID();
    const answers = await Promise.all([east, west, east, west].map((door, index) => money.tryDeposit({ account: index % 2 === 0 ? user.id : user.identifier, amount: 700, key }, door)));
    for (const answer of answers) expect(answer, answer.text).toMatchObject({ status: 200, body: { account: user.id, home: west, amount: 700, balance: 700, currency: 'EUR' } });
    mustBeProblem(await money.tryDeposit({ account: user.id, amount: 701, key }), 409, 'idempotency-key-reused');
    expect(await money.legs(answers[0]!.body.id)).toEqual([`${west}: source deposits -700`, `${west}: credit account 700`]);
  });

  it('that would take a region beyond its share is refused, and none is made in part', async () => {
    const user = await money.client(east, 5);
    const [issued] = await world.sql<{ total: number }>(east, 'SELECT sum(total)::float8 AS total FROM money_issued');
    const left = Math.floor(Number.MAX_SAFE_INTEGER / 2) - issued!.total;
    mustBeProblem(await money.tryDeposit({ account: user.id, amount: left + 1, key: 'too-much' }, west), 422, 'cap-reached');
    mustBeProblem(await money.tryDeposit({ account: user.id, amount: Number.MAX_SAFE_INTEGER, key: 'too-much' }), 422, 'cap-reached');
    expect(await money.balance(user)).toBe(5);
    expect((await money.tryDeposit({ account: user.id, amount: 6, key: 'too-much' })).body.balance).toBe(11);
  });

  it('for nobody is refused, and so is one that is malformed or comes without the operator\'s token', async () => {
    mustBeProblem(await money.tryDeposit({ account: randomUUID(), amount: 1, key: 'k' }), 404, 'not-found');
    for (const amount of [0, -1, 1.5, '1', null, Number.MAX_SAFE_INTEGER + 1]) mustBeProblem(await money.tryDeposit({ account: randomUUID(), amount, key: 'k' }), 400, 'invalid-request');
    mustBeProblem(await world.ops(east, 'POST', '/ops/deposits', { body: { account: randomUUID(), amount: 1, key: 'k' }, token: 'wrong-token' }), 401, 'session-invalid');
  });
});

describe('the database itself', () => {
  it('refuses a negative balance, a leg of an entry twice, and any change of a posting', async () => {
    const user = await money.client(east, 5);
    const again = `INSERT INTO posting SELECT region, slot, entry, leg, book, account, amount, clock_timestamp() FROM posting WHERE account = $1`;
    await expect(world.sql(east, again, [user.id])).rejects.toMatchObject({ code: '23505' });
    await expect(world.sql(east, 'UPDATE balance SET amount = -1 WHERE account = $1', [user.id])).rejects.toMatchObject({ code: '23514' });
    await expect(world.sql(east, 'UPDATE posting SET amount = 7 WHERE account = $1', [user.id])).rejects.toMatchObject({ code: 'HW002' });
    await expect(world.sql(east, 'DELETE FROM posting WHERE account = $1', [user.id])).rejects.toMatchObject({ code: 'HW002' });
  });
});
