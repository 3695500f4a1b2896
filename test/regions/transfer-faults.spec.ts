import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from './harness/cluster.js';
import { type Answer, eventually } from './harness/index.js';
import { type Client, Money } from './harness/money.js';
import { asReplication, copyRow, fileWorld, holding, mustBeProblem, untilKnownEverywhere } from './situations.js';

const world = fileWorld();
const money = new Money(world);
const [east, west] = world.regions as [string, string];
/** Nothing of a stream can be applied while its position is locked, and everything else goes on. */
const POSITIONS = 'LOCK TABLE stream_applied IN SHARE MODE';

let ada: Client;
let alan: Client;

beforeAll(async () => {
  [ada, alan] = await Promise.all([money.client(east, 100_000), money.client(west)]);
  await world.settleAll();
});

async function mustBeCreditedOnce(id: string, amount: number): Promise<void> {
  const book = `clearing:${east}>${west}`;
  expect(await money.legs(id)).toEqual([`${east}: debit account -${amount}`, `${east}: clearing ${book} ${amount}`, `${west}: clearing ${book} -${amount}`, `${west}: credit account ${amount}`]);
  for (const region of world.regions) {
    expect(await money.told(region, ada.id, id)).toEqual(['transfer-settled']);
    expect(await money.told(region, alan.id, id)).toEqual(['transfer-received']);
  }
}

/** A digest of everything that a region's books hold. */
function postingsOf(region: string): Promise<object[]> {
  return world.sql(region, `SELECT md5(string_agg(p::text, '' ORDER BY p::text)) FROM posting p WHERE region = $1`, [region]);
}

/** Orders into a fault that has just begun, over connections that are open, until an answer came from which the client can't know. */
async function orderInto(begin: () => Promise<void>, end: () => Promise<void>): Promise<Answer> {
  for (let round = 0; ; round += 1) {
    await Promise.all([1, 2, 3].map(() => money.order(west, ada, alan.id, 1_000_000)));
    await begin();
    const answer = await money.order(west, ada, alan.id, 70);
    // What was queued without being sent proves nothing: it took no time.
    if (answer.status === 202 && answer.ms > 500) return answer;
    if (round === 4) throw new Error(`never sent: ${answer.text}`);
    await end();
    await world.settleAll();
  }
}

describe('an order that was forwarded and not answered is taken as a request, and is paid once:', () => {
  it('the home had decided it, and its answer was lost', async () => {
    const answer = await orderInto(() => world.cut('blackhole', { direction: `${east}-to-${west}` }), () => world.heal());
    try {
      await eventually(async () => expect((await money.one(east, ada, answer.body.id)).body).toMatchObject({ status: 'settled' }));
    } finally {
      await world.heal();
    }
    await money.untilShown(ada, answer.body.id, { status: 'settled' });
    await world.mustConverge();
    await mustBeCreditedOnce(answer.body.id, 70);
  });

  it('the link held it and delivers it late', async () => {
    const answer = await orderInto(() => world.cut('hold'), () => world.heal());
    await world.heal();
    await money.untilShown(ada, answer.body.id, { status: 'settled' });
    await world.mustConverge();
    await mustBeCreditedOnce(answer.body.id, 70);
  });
});

describe('where an earlier request of the payer waits', () => {
  it('a later order waits behind it, though the home can be reached, and does not overtake it', async () => {
    const payer = await money.client(east, 100);
    const letGo = await holding(world, east, POSITIONS);
    try {
      await world.cut('refuse');
      await world.untilCutSeen();
      const first = await money.order(west, payer, alan.id, 80);
      await world.heal();
      await eventually(async () => expect((await world.ops(west, 'GET', '/ops/status')).body.peers[east].calls.writes).toBe('open'));
      const second = await money.order(west, payer, alan.id, 50);
      expect([first.status, second.status]).toEqual([202, 202]);
      await letGo();
      await money.untilShown(payer, first.body.id, { status: 'settled' });
      await money.untilShown(payer, second.body.id, { status: 'failed', reason: 'insufficient-funds' });
      // And once nothing waits any more, the next is answered by the home.
      await eventually(async () => expect(await money.order(west, payer, alan.id, 1)).toMatchObject({ status: 201 }));
    } finally {
      await letGo().catch(() => undefined);
      await world.heal();
    }
    await world.mustConverge();
  });

  it('its payer, with the newest token, sees it in what is ordered everywhere, and no more once it is cancelled', async () => {
    const payer = await money.client(east, 100);
    const locks = [await holding(world, east, POSITIONS), await holding(world, east, 'LOCK TABLE transfer_request IN EXCLUSIVE MODE'), await holding(world, west, 'LOCK TABLE transfer_decision IN EXCLUSIVE MODE')];
    const letGo = (): Promise<unknown> => Promise.all(locks.splice(0).map((release) => release()));
    const seen = async (door: string, { headers }: Answer) => {
      const wallet = await money.wallet(door, payer, { consistency: headers['homeward-consistency'] as string });
      return { read: wallet.headers['homeward-read'], pendingOut: wallet.body.pendingOut };
    };
    try {
      await world.cut('refuse');
      await world.untilCutSeen();
      const queued = await money.order(west, payer, alan.id, 80);
      expect(await seen(west, queued)).toEqual({ read: 'local', pendingOut: 80 });
      await world.heal();
      await eventually(async () => {
        for (const region of world.regions) for (const { calls } of Object.values<any>((await world.ops(region, 'GET', '/ops/status')).body.peers)) expect(calls).toEqual({ reads: 'open', writes: 'open' });
      });
      expect(await seen(east, queued)).toEqual({ read: 'second', pendingOut: 80 });
      const cancelled = await money.cancel(west, payer, queued.body.id);
      expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
      expect(await seen(west, cancelled)).toEqual({ read: 'second', pendingOut: 0 });
    } finally {
      await letGo();
      await world.heal();
    }
    await world.mustConverge();
  });

  it('and is cancelled while it is being settled, it ends either way, once', async () => {
    const payers = await Promise.all(Array.from({ length: 4 }, () => money.client(east, 10)));
    const letGo = await holding(world, east, POSITIONS);
    const ids: string[] = [];
    try {
      await world.cut('refuse');
      await world.untilCutSeen();
      for (const payer of payers) ids.push((await money.order(west, payer, alan.id, 10)).body.id);
      await world.heal();
      await eventually(async () => expect((await world.ops(west, 'GET', '/ops/status')).body.peers[east].calls.writes).toBe('open'));
      // The first is cancelled while nothing can be settled, the others at the moment in which all of them are.
      expect(await money.cancel(west, payers[0]!, ids[0]!)).toMatchObject({ status: 200, body: { status: 'cancelled' } });
      const [answers] = await Promise.all([Promise.all(payers.slice(1).map((payer, index) => money.cancel(west, payer, ids[index + 1]!))), letGo()]);
      for (const [index, payer] of payers.entries()) {
        const isCancelled = index === 0 || answers[index - 1]!.status === 200;
        if (!isCancelled) mustBeProblem(answers[index - 1]!, 409, 'transfer-final');
        await money.untilShown(payer, ids[index]!, { status: isCancelled ? 'cancelled' : 'settled' });
        expect(await money.balance(payer)).toBe(isCancelled ? 10 : 0);
      }
    } finally {
      await letGo().catch(() => undefined);
      await world.heal();
    }
    await world.mustConverge();
    await money.booksMustAgree();
  });
});

describe('what a region was killed in the middle of', () => {
  it('faults 36: between debit and credit, the clearing book shows it, and the payee gets it once', async () => {
    await world.cut('refuse');
    const answer = await money.order(east, ada, alan.id, 30);
    await world.part(east, 'api', { state: 'down', signal: 'SIGKILL' });
    const book = `clearing:${east}>${west}`;
    expect(await money.legs(answer.body.id)).toEqual([`${east}: debit account -30`, `${east}: clearing ${book} 30`]);
    await world.heal();
    await world.bringUp();
    await world.mustConverge();
    await mustBeCreditedOnce(answer.body.id, 30);
  });

  it('between credit and confirmation, and between effect and offset: the payer\'s home learns of it later, and the whole stream read again credits nothing again', async () => {
    const before = await money.balance(alan);
    const letGo = await holding(world, east, 'LOCK TABLE transfer_credit IN SHARE MODE');
    const answer = await money.order(east, ada, alan.id, 31);
    await eventually(async () => expect(await money.balance(alan)).toBe(before + 31));
    await world.part(west, 'api', { state: 'down', signal: 'SIGKILL' });
    expect((await money.one(east, ada, answer.body.id)).body).not.toHaveProperty('creditedAt');
    const postings = await postingsOf(west);
    await world.sql(west, `UPDATE stream_applied SET applied = 0, kafka_offset = -1 WHERE region = '${west}' AND writer = '${east}' AND stream = 'orders'`);
    await letGo();
    await world.bringUp();
    await world.mustConverge();
    expect(await postingsOf(west)).toEqual(postings);
    await mustBeCreditedOnce(answer.body.id, 31);
    expect((await money.one(east, ada, answer.body.id)).body.creditedAt).toEqual(expect.any(String));
    await money.booksMustAgree();
  });

  it('right after it took many requests, and in the middle of settling them: each is paid once, in its payer\'s order', async () => {
    const payers = await Promise.all(Array.from({ length: 5 }, () => money.client(east, 100)));
    await world.cut('refuse');
    await world.untilCutSeen();
    const orders = await Promise.all(payers.map(async (payer) => {
      const ids: string[] = [];
      // 8 of 15 fit, so that the order of the first eight shows in what was left for the others.
      for (let nth = 0; nth < 15; nth += 1) ids.push((await money.order(west, payer, alan.id, 12)).body.id);
      return { payer, ids };
    }));
    for (const part of ['postgres', 'api']) await world.part(west, part, { state: 'down', signal: 'SIGKILL' });
    await world.bringUp();
    await world.heal();
    await eventually(async () => expect(await world.sql(east, 'SELECT 1 FROM transfer_decision WHERE payer = ANY ($1)', [payers.map(({ id }) => id)])).not.toHaveLength(0));
    await world.part(east, 'api', { state: 'down', signal: 'SIGKILL' });
    await world.bringUp();
    await world.mustConverge();
    for (const { payer, ids } of orders) {
      const rows = await world.sql<{ id: string; outcome: string }>(east, 'SELECT id, outcome FROM transfer_decision WHERE payer = $1', [payer.id]);
      const outcomes = new Map(rows.map(({ id, outcome }) => [id, outcome]));
      expect(ids.map((id) => outcomes.get(id))).toEqual(ids.map((_, nth) => (nth < 8 ? 'settled' : 'failed')));
      expect(await money.balance(payer)).toBe(100 - 8 * 12);
    }
    await money.booksMustAgree();
  });
});

describe('orders that are gone at their writer, from its Kafka too,', () => {
  it('are found again in its tables: requests are decided in their order, and debits credited', async () => {
    const [payer, other] = await Promise.all([money.client(east, 100), money.client(west, 100)]);
    await world.settleAll();
    await world.cut('refuse');
    await world.untilCutSeen();
    const queued: string[] = [];
    for (const amount of [70, 60, 30]) queued.push((await money.order(west, payer, other.id, amount)).body.id);
    const debited = await money.order(west, other, payer.id, 5);
    expect(debited.status).toBe(201);
    await eventually(async () => {
      const { heads, sent } = (await world.ops(west, 'GET', '/ops/status')).body.streams;
      expect(sent.orders).toEqual(heads.orders);
    });
    await world.sql(west, `DELETE FROM outbox_batch WHERE stream = 'orders'`);
    await new Cluster(world, west).deleteRecords('homeward.orders');
    await world.heal();
    for (const [index, status] of ['settled', 'failed', 'settled'].entries()) await money.untilShown(payer, queued[index]!, { status });
    await eventually(async () => expect(await money.balance(payer)).toBe(5));
    await world.mustConverge();
    await money.booksMustAgree();
  });
});

describe('a credit that can\'t be booked', () => {
  it('is put aside and reported, and refuses nobody', async () => {
    const [gone, payer] = await Promise.all([world.register(west), money.client(east, 10)]);
    await untilKnownEverywhere(world, gone.id);
    await world.settleAll();
    const before = (await world.ops(west, 'GET', '/ops/status')).body.suspendedCredits;
    await asReplication(world, west, 'DELETE FROM account WHERE id = $1', [gone.id]);
    const answer = await money.order(east, payer, gone.id, 9);
    expect(answer.status).toBe(201);
    await eventually(async () => expect((await world.ops(west, 'GET', '/ops/status')).body.suspendedCredits).toBe(before + 1));
    expect((await world.ops(west, 'GET', '/metrics')).text).toMatch(new RegExp(`homeward_credits_suspended\\{[^}]*\\} ${before + 1}\n`));
    expect(await money.legs(answer.body.id)).toContain(`${west}: credit suspense 9`);
    await copyRow(world, 'account', gone.id, east, west);
    await world.mustConverge();
    await money.booksMustAgree();
    expect((await money.one(east, payer, answer.body.id)).body).toMatchObject({ status: 'settled' });
    expect((await money.one(east, payer, answer.body.id)).body).not.toHaveProperty('creditedAt');
  });
});

describe('an order that its writer may not give', () => {
  it('is kept aside, whole, and moves nothing', async () => {
    const before = await money.balance(ada);
    const credit = { kind: 'credit', to: east, id: randomUUID(), payer: ada.id, payee: ada.id, amount: 5, decidedAt: new Date().toISOString() };
    await world.sql(west, `INSERT INTO outbox (stream, partition, version, key, payload) SELECT 'orders', 0, 1, $1, $2::jsonb`, [ada.id, JSON.stringify(credit)]);
    const letters = () => world.sql<{ detail: string }>(east, `SELECT detail FROM dead_letter WHERE stream = 'orders' AND key = $1`, [ada.id]);
    try {
      await eventually(async () => expect((await letters()).map(({ detail }) => detail)).toEqual([expect.stringContaining(`the payer's home is ${east}`)]));
      expect(await money.balance(ada)).toBe(before);
    } finally {
      await world.sql(east, `DELETE FROM dead_letter WHERE stream = 'orders' AND key = $1`, [ada.id]);
    }
  });
});
