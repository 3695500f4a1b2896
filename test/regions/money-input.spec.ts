import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from './harness/index.js';
import { type Client, Money } from './harness/money.js';
import { leavesNoTrace, rowCounts } from './harness/traces.js';
import { fileWorld, mustBeProblem } from './situations.js';

const world = fileWorld();
const money = new Money(world);
const [east, west] = world.regions as [string, string];
let ada: Client;
let grace: Client;

beforeAll(async () => {
  [ada, grace] = await Promise.all([money.client(west, 1_000), money.client(east)]);
  await world.settleAll();
});

const post = (body: unknown, key: string | undefined = randomUUID()): Promise<Answer> =>
  world.api(east, 'POST', '/v1/transfers', { token: ada.tokens[east]!, body, ...(key === undefined ? {} : { key }) });

describe('a transfer that is refused moves nothing, where', () => {
  leavesNoTrace(world);

  it.each([['zero', 0], ['negative', -5], ['a fraction', 1.5], ['above 2^53 - 1', 2 ** 53], ['far above', 1e300], ['a text', '5'], ['null', null], ['missing', undefined], ['a list', [5]], ['true', true]])('its amount is %s', async (_, amount) => {
    mustBeProblem(await post({ payee: grace.id, amount }), 400, 'invalid-request');
  });

  it('its amount is not a number that JSON has', async () => {
    for (const amount of ['NaN', 'Infinity', '-Infinity', '0x10', '01', '1e', '+1', '9007199254740993']) {
      const raw = `{"payee": "${grace.id}", "amount": ${amount}}`;
      mustBeProblem(await world.api(east, 'POST', '/v1/transfers', { token: ada.tokens[east]!, key: randomUUID(), raw }), 400, 'invalid-request');
    }
  });

  it('its payee is the payer, by id or by identifier', async () => {
    for (const payee of [ada.id, ada.id.toUpperCase(), ada.identifier, ada.identifier.toUpperCase(), ` ${ada.identifier} `]) mustBeProblem(await post({ payee, amount: 1 }), 400, 'invalid-request');
  });

  it.each([['empty', ''], ['blank', ' '], ['words', 'the woman next door'], ['an address without a domain', 'ada@'], ['a number', 17], ['missing', undefined], ['null', null], ['an object', {}], ['of 2,000 characters', 'x'.repeat(2_000)], ['with NUL', 'a\u0000@example.com'], ['nearly an id', `${randomUUID()}0`]])(
    'its payee is malformed: %s', async (_, payee) => {
      mustBeProblem(await post({ payee, amount: 1 }), 400, 'invalid-request');
    });

  it.each([['empty', ''], ['of 201 characters', 'x'.repeat(201)], ['with NUL', 'a\u0000'], ['with a line feed', 'a\nb'], ['with a lone surrogate', '\ud800'], ['a number', 17], ['null', null]])('its memo is %s', async (_, memo) => {
    mustBeProblem(await post({ payee: grace.id, amount: 1, memo }), 400, 'invalid-request');
  });

  it('it has members that are not known', async () => {
    for (const more of [{ payer: grace.id }, { currency: 'USD' }, { status: 'settled' }]) mustBeProblem(await post({ payee: grace.id, amount: 1, ...more }), 400, 'invalid-request');
  });

  it('its idempotency key is missing or malformed', async () => {
    mustBeProblem(await world.api(east, 'POST', '/v1/transfers', { token: ada.tokens[east]!, body: { payee: grace.id, amount: 1 } }), 400, 'idempotency-key-required');
    for (const key of ['', ' ', 'two words', 'x'.repeat(129), 'caf\u00e9']) mustBeProblem(await post({ payee: grace.id, amount: 1 }, key), 400, 'invalid-request');
  });

  it('its session is missing or forged', async () => {
    for (const token of [undefined, 'x', ada.tokens[east]!.slice(0, -1)]) {
      mustBeProblem(await world.api(east, 'POST', '/v1/transfers', { key: 'k', body: { payee: grace.id, amount: 1 }, ...(token === undefined ? {} : { token }) }), 401, 'session-invalid');
      mustBeProblem(await world.api(east, 'GET', '/v1/wallet', token === undefined ? {} : { token }), 401, 'session-invalid');
    }
  });
});

describe('a payee', () => {
  it('who is unknown, wherever the home would be, is said to be, and nothing is kept of the question', async () => {
    const rows = await rowCounts(world);
    for (const home of world.regions) mustBeProblem(await post({ payee: world.identifier(home), amount: 1 }), 404, 'payee-unknown');
    mustBeProblem(await post({ payee: randomUUID(), amount: 1 }), 404, 'payee-unknown');
    expect(await rowCounts(world)).toEqual(rows);
  });
});

describe('a list', () => {
  leavesNoTrace(world);

  it('with a limit or a place that no page gave is refused', async () => {
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'limit=1.5', 'after=x', 'after=', `after=${'x'.repeat(300)}`, 'before=x', `after=${Buffer.from("2026 '; DROP").toString('base64url')}`]) {
      for (const path of ['transfers', 'vouchers']) mustBeProblem(await world.api(east, 'GET', `/v1/${path}?${query}`, { token: ada.tokens[east]! }), 400, 'invalid-request');
    }
  });
});

describe('an object', () => {
  leavesNoTrace(world);

  it('whose id is malformed is refused', async () => {
    for (const id of ['x', '17', `${ada.id}0`, '%00', "'"]) {
      mustBeProblem(await money.one(east, ada, id), 400, 'invalid-request');
      mustBeProblem(await money.cancel(east, ada, id), 400, 'invalid-request');
      mustBeProblem(await world.api(east, 'POST', `/v1/vouchers/${id}/redeem`, { token: ada.tokens[east]! }), 400, 'invalid-request');
    }
  });
});

describe('an amount', () => {
  it('of 2^53 - 1 is taken for what it is', async () => {
    mustBeProblem(await post({ payee: grace.id, amount: Number.MAX_SAFE_INTEGER }), 422, 'insufficient-funds');
    expect(await money.balance(ada)).toBe(1_000);
  });
});
