import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { eventually, sharedWorld } from './harness/index.js';
import { mustBeProblem, untilKnownEverywhere, untilQuiet } from './situations.js';

const world = sharedWorld();
const [east, west] = world.regions as [string, string];
/** As the shared deployment is told (harness/two-regions.ts), with the time that it takes to be noticed. */
const DRAFTED_MS = 20_000;

const announced = async (region: string): Promise<any[]> => (await world.api(region, 'GET', '/v1/announcements')).body.items;
const incidents = async (region: string): Promise<any[]> => (await world.ops(region, 'GET', '/ops/incidents')).body.items;
const drafts = async (region: string): Promise<any[]> => (await world.ops(region, 'GET', '/ops/announcements')).body.items;
const TEXTS = { en: { title: 'Maintenance', body: 'Tonight.' }, zh: { title: '维护', body: '今晚。' } };

describe('an announcement', () => {
  it('published in one region is told in all without a token, once for a key, until it is withdrawn in any', async () => {
    const key = randomUUID();
    const [here, there] = await Promise.all([east, west].map((region) => world.ops(region, 'POST', '/ops/announcements', { body: { texts: TEXTS, key } })));
    expect(here).toMatchObject({ status: 201, body: { state: 'published', texts: TEXTS } });
    expect(there!.body.id).toBe(here!.body.id);
    const { id } = here!.body;
    for (const region of world.regions) await eventually(async () => expect((await announced(region)).filter((one) => one.id === id)).toEqual([{ id, publishedAt: expect.any(String), texts: TEXTS }]));
    expect((await world.ops(west, 'DELETE', `/ops/announcements/${id}`)).status).toBe(204);
    for (const region of world.regions) await eventually(async () => expect((await announced(region)).map((one) => one.id)).not.toContain(id));
    expect((await world.ops(east, 'DELETE', `/ops/announcements/${id}`)).status).toBe(204);
    mustBeProblem(await world.ops(east, 'POST', `/ops/announcements/${id}/publish`), 404, 'not-found');
    mustBeProblem(await world.ops(east, 'DELETE', `/ops/announcements/${randomUUID()}`), 404, 'not-found');
    for (const body of [{ texts: {} }, { texts: { en: { title: '', body: 'x' } } }, { texts: { de: { title: 'x', body: 'y' } } }, {}]) mustBeProblem(await world.ops(east, 'POST', '/ops/announcements', { body }), 400, 'invalid-request');
  });

  it('is drafted by itself in a cut, told only when an operator publishes it, and withdrawn when it is over', async () => {
    await untilQuiet(world);
    const before = await announced(east);
    await world.cut('refuse');
    const [draft] = await eventually(async () => {
      const made = (await drafts(east)).filter(({ state }) => state === 'draft');
      expect(made).toMatchObject([{ incident: expect.any(String), texts: { en: expect.any(Object), zh: expect.any(Object) } }]);
      return made;
    }, DRAFTED_MS);
    expect(await announced(east)).toEqual(before);
    expect((await world.ops(east, 'POST', `/ops/announcements/${draft.id}/publish`)).body).toMatchObject({ id: draft.id, state: 'published' });
    expect((await announced(east)).map(({ id }) => id)).toContain(draft.id);
    expect((await announced(west)).map(({ id }) => id)).not.toContain(draft.id);
    await world.heal();
    await untilQuiet(world);
    for (const region of world.regions) await eventually(async () => expect((await announced(region)).map(({ id }) => id)).not.toContain(draft.id));
    for (const region of world.regions) await eventually(async () => expect((await drafts(region)).find(({ ids }) => ids.includes(draft.id))).toMatchObject({ state: 'withdrawn', ids: expect.arrayContaining([draft.id, expect.any(String)]) }));
  });
});

describe('an incident', () => {
  it('opens by itself, counts what was refused, lists whom it touched, is one for both sides, and closes when all has settled', async () => {
    await untilQuiet(world);
    const user = await world.register(east);
    await untilKnownEverywhere(world, user.id);
    const token = await world.signIn(east, user);
    const known = new Set((await incidents(west)).flatMap(({ ids }) => ids));
    await world.cut();
    await world.untilCutSeen();
    for (const identifier of [world.identifier(east), world.identifier(east)]) mustBeProblem(await world.api(west, 'POST', '/v1/accounts', { body: { identifier, password: 'violet-otter-42' } }), 503, 'home-unavailable');
    await eventually(async () => mustBeProblem(await world.check(west, token), 401, 'session-origin-unavailable'));
    const mine = (region: string) => incidents(region).then((all) => all.find(({ ids }) => !ids.some((id: string) => known.has(id))));
    const away = await eventually(async () => {
      const seen = await mine(west);
      expect(seen).toMatchObject({ between: [east, west].toSorted(), counts: { registrationsRefused: 2 }, accounts: { 'session-regenerated': 1 } });
      return seen;
    });
    expect(away).not.toHaveProperty('reachableAt');
    const home = await eventually(async () => {
      const seen = await mine(east);
      expect(seen).toMatchObject({ counts: {} });
      return seen;
    });
    expect(home.id).not.toBe(away.id);
    await world.heal();
    await untilQuiet(world);
    const merged = await Promise.all(world.regions.map((region) => eventually(async () => {
      const seen = await mine(region);
      expect(seen).toMatchObject({ id: [home.id, away.id].toSorted()[0], ids: [home.id, away.id].toSorted(), reachableAt: expect.any(String), closedAt: expect.any(String), counts: { registrationsRefused: 2 } });
      return seen;
    })));
    expect(merged[1]).toEqual(merged[0]);
    for (const id of merged[0].ids) expect((await world.ops(east, 'GET', `/ops/incidents/${id}/accounts`)).body).toMatchObject({ items: [{ account: user.id, what: ['session-regenerated'], since: expect.any(String) }], next: null });
    mustBeProblem(await world.ops(east, 'GET', `/ops/incidents/${randomUUID()}/accounts`), 404, 'not-found');
  });

  it('of a killed region is recorded by the one that missed it, and closes when that is back', async () => {
    await untilQuiet(world);
    const known = new Set((await incidents(west)).flatMap(({ ids }) => ids));
    await world.part(east, 'api', { state: 'down', signal: 'SIGKILL' });
    const { id } = await eventually(async () => {
      const [newest] = await incidents(west);
      expect(known.has(newest.id)).toBe(false);
      return newest;
    });
    await world.part(east, 'api', { state: 'up' });
    await untilQuiet(world);
    expect((await incidents(west)).find(({ ids }) => ids.includes(id))).toMatchObject({ closedAt: expect.any(String) });
  });
});
