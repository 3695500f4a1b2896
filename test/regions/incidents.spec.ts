import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, eventually } from './harness/index.js';
import { CLOSED_MS, during, fileWorld, holding, linkCut, mustBeProblem, untilKnownEverywhere, untilQuiet } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];
const TEXTS = { en: { title: 'Maintenance', body: 'Tonight.' }, zh: { title: '维护', body: '今晚。' } };

/** What the shared deployment is told by HOMEWARD_ANNOUNCE_AFTER_SECONDS, less what rounding takes. */
const ANNOUNCE_AFTER_MS = 3_000 - 10;
/** A peer that is back for so long lets its incident close (libs/features/incidents/watch-peers.ts), with the time of a round. */
const CLOSES_AFTER_MS = 3_000 + 1_500;

const announced = async (region: string): Promise<any[]> => (await world.api(region, 'GET', '/v1/announcements')).body.items;
const drafted = async (region: string): Promise<any[]> => (await world.ops(region, 'GET', '/ops/announcements')).body.items;
const incidents = async (region: string): Promise<any[]> => (await world.ops(region, 'GET', '/ops/incidents')).body.items;
const idsOf = (items: readonly any[]): string[] => items.flatMap(({ id, ids }) => ids ?? [id]);

async function known(home: string): Promise<User> {
  const user = await world.register(home);
  await untilKnownEverywhere(world, user.id);
  return user;
}

describe('an announcement', () => {
  it('published in one region is told in all without a token, once for a key, until it is withdrawn in any', async () => {
    const key = randomUUID();
    const [here, there] = await Promise.all([east, west].map((region) => world.ops(region, 'POST', '/ops/announcements', { body: { texts: TEXTS, key } })));
    expect(here).toMatchObject({ status: 201, body: { state: 'published', texts: TEXTS } });
    expect(there!.body.id).toBe(here!.body.id);
    const { id } = here!.body;
    for (const region of world.regions) await eventually(async () => expect((await announced(region)).filter((one) => one.id === id)).toEqual([{ id, publishedAt: expect.any(String), texts: TEXTS }]));
    expect((await world.ops(west, 'DELETE', `/ops/announcements/${id}`)).status).toBe(204);
    for (const region of world.regions) await eventually(async () => expect(idsOf(await announced(region))).not.toContain(id));
    expect((await world.ops(east, 'DELETE', `/ops/announcements/${id}`)).status).toBe(204);
    mustBeProblem(await world.ops(east, 'POST', `/ops/announcements/${id}/publish`), 404, 'not-found');
    mustBeProblem(await world.ops(east, 'DELETE', `/ops/announcements/${randomUUID()}`), 404, 'not-found');
    for (const body of [{ texts: {} }, { texts: { en: { title: '', body: 'x' } } }, { texts: { de: { title: 'x', body: 'y' } } }, {}]) mustBeProblem(await world.ops(east, 'POST', '/ops/announcements', { body }), 400, 'invalid-request');
  });

  it('is listed newest first, page by page, by when it was published', async () => {
    const draft = randomUUID();
    await world.sql(east, `INSERT INTO announcement (region, id, incident, body, created_at) VALUES ($1, $2, NULL, $3, now())`, [east, draft, JSON.stringify(TEXTS)]);
    const ids = [draft];
    for (let index = 0; index < 2; index += 1) ids.push((await world.ops(east, 'POST', '/ops/announcements', { body: { texts: TEXTS } })).body.id);
    expect((await world.ops(east, 'POST', `/ops/announcements/${draft}/publish`)).status).toBe(200);
    const newestFirst = [draft, ids[2]!, ids[1]!];
    const page = async (query: string): Promise<any> => (await world.api(east, 'GET', `/v1/announcements?${query}`)).body;
    const all = await page('limit=200');
    expect(idsOf(all.items).slice(0, 3)).toEqual(newestFirst);
    expect(all.next).toBe(null);
    expect(await page(`limit=${all.items.length}`)).toEqual(all);
    const [first, second] = [await page('limit=2'), await page(`limit=1&after=${(await page('limit=2')).next}`)];
    expect(idsOf([...first.items, ...second.items])).toEqual(newestFirst);
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'after=x', 'before=x']) mustBeProblem(await world.api(east, 'GET', `/v1/announcements?${query}`), 400, 'invalid-request');
    for (const id of ids) expect((await world.ops(east, 'DELETE', `/ops/announcements/${id}`)).status).toBe(204);
  });
});

describe('a cut', () => {
  const key = randomUUID();
  /** Of what was before, so that what this cut made can be told apart. */
  let before: { incidents: string[]; announcements: string[] };
  /** Whom it touches: one has a session that can't be asked for, the other orders a transfer. */
  let [visiting, paying]: User[] = [];
  let token: string;
  /** What each side records, and the draft that was published. */
  let [here, there]: any[] = [];
  let published: string;

  const end = during(world, linkCut(world, 'blackhole'), async () => {
    await untilQuiet(world);
    [visiting, paying] = [await known(east), await known(east)];
    token = await world.signIn(east, visiting);
    before = { incidents: idsOf(await incidents(west)), announcements: idsOf(await drafted(west)) };
  });
  const mine = async (region: string): Promise<any> => (await incidents(region)).find(({ ids }) => !ids.some((id: string) => before.incidents.includes(id)));
  const compensate = (region: string, incident: string): Promise<Answer> => world.ops(region, 'POST', '/ops/compensations', { body: { incident, amount: 250, key } });

  it('is an incident by itself, with what it cost and whom it touched, on each side for itself', async () => {
    for (const identifier of [world.identifier(east), world.identifier(east)]) mustBeProblem(await world.api(west, 'POST', '/v1/accounts', { body: { identifier, password: 'violet-otter-42' } }), 503, 'home-unavailable');
    await eventually(async () => mustBeProblem(await world.check(west, token), 401, 'session-origin-unavailable'));
    const order = { token: await world.signIn(west, paying!), key: randomUUID(), body: { payee: visiting!.id, amount: 100 } };
    expect(await world.api(west, 'POST', '/v1/transfers', order)).toMatchObject({ status: 202, body: { status: 'queued' } });
    there = await eventually(async () => {
      const seen = await mine(west);
      expect(seen).toMatchObject({ between: [east, west].toSorted(), counts: { registrationsRefused: 2 }, accounts: { 'session-regenerated': 1, 'transfer-queued': 1 } });
      return seen;
    });
    here = await eventually(async () => {
      const seen = await mine(east);
      expect(seen).toMatchObject({ counts: {}, accounts: {} });
      return seen;
    });
    for (const side of [here, there]) expect([side.reachableAt, side.closedAt]).toEqual([undefined, undefined]);
    expect(here.id).not.toBe(there.id);
  });

  it('is announced in a draft by itself, which an operator publishes', async () => {
    const fresh = async (region: string) => (await drafted(region)).filter(({ id }) => !before.announcements.includes(id));
    const [draft] = await eventually(async () => {
      const made = await fresh(east);
      expect(made).toMatchObject([{ state: 'draft', incident: here.id, texts: { en: expect.any(Object), zh: expect.any(Object) } }]);
      return made;
    });
    expect(Date.parse(draft.createdAt) - Date.parse(here.openedAt)).toBeGreaterThan(ANNOUNCE_AFTER_MS);
    published = draft.id;
    expect(idsOf(await announced(east))).not.toContain(published);
    expect((await world.ops(east, 'POST', `/ops/announcements/${published}/publish`)).body).toMatchObject({ id: published, state: 'published' });
    expect(idsOf(await announced(east))).toContain(published);
    expect(idsOf(await announced(west))).not.toContain(published);
    await eventually(async () => expect(await fresh(west)).toMatchObject([{ state: 'draft', incident: there.id }]));
  });

  it('can be made good while it lasts: their home grants when it can be asked', async () => {
    expect(await compensate(west, there.id)).toMatchObject({ status: 200, body: { incident: there.id, closed: false, granted: 0, sent: 2, unknown: [] } });
    for (const region of world.regions) expect(await world.sql(region, 'SELECT 1 FROM voucher WHERE account = ANY ($1)', [[visiting!.id, paying!.id]])).toEqual([]);
  });

  it('stays open while the link is up and not all has settled', async () => {
    const letGo = await holding(world, east, 'LOCK TABLE stream_applied IN SHARE MODE');
    try {
      await end();
      const ofWest = async (): Promise<any> => (await mine(west)).sides.find(({ region }: any) => region === west);
      await eventually(async () => expect(Date.now() - Date.parse((await ofWest()).reachableAt)).toBeGreaterThan(CLOSES_AFTER_MS));
      expect(await ofWest()).not.toHaveProperty('closedAt');
    } finally {
      await letGo();
    }
  });

  describe('that is over', () => {
    beforeAll(async () => {
      await end();
      await untilQuiet(world);
    });

    it('was one incident, known by the ids of both sides, which closed when all had settled', async () => {
      const ids = [here.id, there.id].toSorted();
      const seen = await Promise.all(world.regions.map((region) => eventually(async () => {
        const merged = await mine(region);
        expect(merged).toMatchObject({ id: ids[0], ids, reachableAt: expect.any(String), closedAt: expect.any(String), counts: { registrationsRefused: 2 } });
        expect(merged.accounts).toEqual({ 'session-regenerated': 1, 'transfer-failed': 1, 'transfer-queued': 1 });
        return merged;
      })));
      expect(seen[1]).toEqual(seen[0]);
      const touched = [{ account: visiting!.id, what: ['session-regenerated'] }, { account: paying!.id, what: ['transfer-failed', 'transfer-queued'] }];
      for (const id of ids) expect((await world.ops(east, 'GET', `/ops/incidents/${id}/accounts`)).body).toMatchObject({ items: touched.sort((a, b) => (a.account < b.account ? -1 : 1)), next: null });
      mustBeProblem(await world.ops(east, 'GET', `/ops/incidents/${randomUUID()}/accounts`), 404, 'not-found');
    });

    it('is announced no more, and what both sides drafted is one', async () => {
      for (const region of world.regions) {
        await eventually(async () => expect(idsOf(await announced(region))).not.toContain(published));
        await eventually(async () => expect((await drafted(region)).find(({ ids }) => ids.includes(published))).toMatchObject({ state: 'withdrawn', ids: { length: 2 } }));
      }
    });

    it('is made good once to each, whichever region is asked and whichever id names it', async () => {
      for (const [region, incident] of [[east, here.id], [west, there.id], [east, there.id]]) {
        const { body } = await compensate(region, incident);
        expect({ ...body, granted: body.granted + body.sent, sent: 0 }).toEqual({ incident: [here.id, there.id].toSorted()[0], closed: true, granted: 2, sent: 0, unknown: [] });
      }
      await world.settleAll();
      for (const user of [visiting!, paying!]) {
        for (const region of world.regions) await eventually(async () => expect(await world.sql(region, 'SELECT amount::int FROM voucher WHERE account = $1', [user.id])).toEqual([{ amount: 250 }]));
      }
      await world.mustConverge();
    });
  });
});

describe('two cuts, one right after the other', () => {
  it('are two incidents, and an order is of the one in which it waited', async () => {
    await untilQuiet(world);
    const [first, second, payee] = [await known(east), await known(east), await known(west)];
    const tokens = new Map(await Promise.all([first, second].map(async (user) => [user, await world.signIn(west, user)] as const)));
    let before = idsOf(await incidents(west));
    const fresh = async (): Promise<any> => (await incidents(west)).find(({ ids }) => !ids.some((id: string) => before.includes(id)));
    const cutWith = async (payer: User): Promise<string> => {
      before = idsOf(await incidents(west));
      await world.cut('refuse');
      await world.untilCutSeen();
      const { status, body } = await world.api(west, 'POST', '/v1/transfers', { token: tokens.get(payer)!, key: randomUUID(), body: { payee: payee.id, amount: 100 } });
      expect(status).toBe(202);
      await eventually(async () => expect(await fresh()).toMatchObject({ accounts: { 'transfer-queued': 1 } }));
      return body.id;
    };
    try {
      const order = await cutWith(first);
      await world.heal();
      await untilQuiet(world);
      // As late as one can be that was settled with its incident.
      const { closedAt } = await fresh();
      await world.sql(west, `UPDATE transfer_request SET requested_at = $3::timestamptz - interval '1 ms' WHERE region = $1 AND id = $2`, [west, order, closedAt]);
      await cutWith(second);
    } finally {
      await world.heal();
    }
    await eventually(async () => expect(await fresh()).toMatchObject({ closedAt: expect.any(String), accounts: { 'transfer-queued': 1, 'transfer-failed': 1 } }), CLOSED_MS);
  });
});

describe("a cut while a region's clock is an hour off", () => {
  const HOUR_MS = 3_600_000;
  afterAll(() => world.clock(west, 0));

  it.each([
    ['ahead since before it', HOUR_MS, HOUR_MS],
    ['put back meanwhile', 0, -HOUR_MS],
  ])('is one incident in both regions: the clock %s', async (_, atFirst, afterwards) => {
    await untilQuiet(world);
    const before = idsOf(await incidents(east));
    const fresh = async (region: string): Promise<any[]> => (await incidents(region)).filter(({ ids }) => !ids.some((id: string) => before.includes(id)));
    await world.clock(west, atFirst);
    // The next heartbeat tells it; until then nobody can know.
    await eventually(async () => expect(Math.abs((await world.ops(east, 'GET', '/ops/status')).body.peers[west].clockSkewMs - atFirst)).toBeLessThan(HOUR_MS / 2));
    await world.cut('blackhole');
    for (const region of world.regions) await eventually(async () => expect((await world.ops(region, 'GET', '/ops/status')).body.openIncidents).toBe(1));
    await world.clock(west, afterwards);
    await world.heal();
    const [here, there] = await Promise.all(world.regions.map((region) => eventually(async () => {
      const seen = await fresh(region);
      expect(seen).toMatchObject([{ sides: { length: 2 }, closedAt: expect.any(String) }]);
      expect(seen[0].sides.map((side: any) => side.region).toSorted()).toEqual([east, west].toSorted());
      return seen;
    }, CLOSED_MS)));
    expect(there).toEqual(here);
    await world.clock(west, 0);
  });
});
