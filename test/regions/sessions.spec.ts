import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { eventually, type User } from './harness/index.js';
import { everythingInRedis, tablesThatHold, tokenMaker, withRedis } from './harness/stores.js';
import { callsBetween } from './harness/traces.js';
import { AT_ONCE_MS, during, fileWorld, killed, linkCut, mustBeProblem, otherThan } from './situations.js';

/** A cached read serves this long at most (contract); the margin is for a busy machine's clock ticks. */
const CACHE_MS = 5_000;
const LIFE_MS = 30 * 24 * 3_600_000;
/** The cache knows nothing of how the origin is out of reach, so two situations tell enough of it. */
const CACHE_TRIED_IN = new Set(['the link is cut (blackhole)', 'api of east is killed']);

const world = fileWorld();
const [east, west] = world.regions as [string, string];
/** A user of each region, known in both. */
const users: Record<string, User> = {};

beforeAll(async () => {
  for (const region of world.regions) users[region] = await world.register(region);
  await world.settleAll();
});

/** Fails unless a session made elsewhere is answered with: sign in again here. */
async function mustBeRegenerated(region: string, token: string, origin: string): Promise<void> {
  const answer = await world.check(region, token);
  mustBeProblem(answer, 401, 'session-origin-unavailable', { origin, regenerate: true });
  expect(Object.keys(answer.body)).toEqual(['type', 'title', 'status', 'detail', 'instance', 'origin', 'regenerate']);
}

describe('a session', () => {
  it("is checked where it was made, elsewhere at its origin, then in a cache, with the same answer: exactly the contract's members, in order", async () => {
    for (const origin of world.regions) for (const user of Object.values(users)) {
      const made = await world.trySignIn(origin, user);
      expect(Object.keys(made.body)).toEqual(['token', 'origin', 'expiresAt', 'assurance', 'account']);
      const { token, expiresAt } = made.body;
      const here = await world.check(origin, token);
      expect(here.status).toBe(200);
      const createdAt = new Date(tokenMaker(world).parse(token)!.createdAtMs).toISOString();
      expect(here.text).toBe(JSON.stringify({ origin, account: { id: user.id, identifier: user.identifier, home: user.home }, createdAt, expiresAt }));
      expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(LIFE_MS);
      expect(here.headers).toMatchObject({ 'homeward-read': 'local', 'homeward-region': origin, 'homeward-home': user.home });
      const elsewhere = otherThan(world, origin);
      for (const read of ['origin', 'cache']) {
        const there = await world.check(elsewhere, token);
        expect(there.text).toBe(here.text);
        expect(there.headers).toMatchObject({ 'homeward-read': read, 'homeward-region': elsewhere, 'homeward-home': user.home });
      }
    }
  });

  it('is never copied: elsewhere there is nothing of it but a cached read of at most 5 s', async () => {
    const token = await world.signIn(east, users[west]!);
    const hash = tokenMaker(world).parse(token)!.hash;
    const key = `s:${hash.toString('base64url')}`;
    await world.settleAll();
    const heldBy = async (region: string): Promise<string[]> => (await everythingInRedis(world, region)).filter((text) => text.includes(hash.toString('base64url')));
    expect(await heldBy(west)).toEqual([]);
    for (const region of world.regions) expect(await tablesThatHold(world, region, [hash.toString('hex'), hash.toString('base64url')])).toEqual([]);
    expect((await world.check(west, token)).headers['homeward-read']).toBe('origin');
    const leftMs = await withRedis(world, west, (redis) => redis.pttl(key));
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(CACHE_MS);
    expect(await withRedis(world, east, (redis) => redis.pttl(key))).toBeGreaterThan(CACHE_MS);
  });

  it('leaves its token nowhere: PostgreSQL and Redis hold hashes only', async () => {
    const token = await world.signIn(east, users[east]!);
    const ended = await world.signIn(west, users[east]!);
    for (const region of world.regions) expect((await world.check(region, token)).status).toBe(200);
    expect((await world.api(west, 'DELETE', '/v1/sessions/current', { token: ended })).status).toBe(204);
    await world.settleAll();
    const secrets = [token, ended].flatMap((text) => text.split('.').slice(1));
    const forms = [...secrets, ...secrets.map((secret) => Buffer.from(secret, 'base64url').toString('hex'))];
    for (const region of world.regions) {
      const stored = await everythingInRedis(world, region);
      expect(stored.filter((text) => forms.some((form) => text.includes(form)))).toEqual([]);
      expect(await tablesThatHold(world, region, forms)).toEqual([]);
    }
  });
});

describe('a token that no region made', () => {
  /** Each way to bring a token that looks like one. */
  async function forgeries(): Promise<Record<string, string>> {
    const token = await world.signIn(east, users[east]!);
    const [region, id, mac] = token.split('.') as [string, string, string];
    const flip = (text: string, at: number): string => `${text.slice(0, at)}${text[at] === 'A' ? 'Q' : 'A'}${text.slice(at + 1)}`;
    const strangers = [{ id: 1, secret: randomBytes(32).toString('base64url') }];
    return {
      'another region in front': `${west}.${id}.${mac}`,
      'a changed account': `${region}.${flip(id, 3)}.${mac}`,
      'a changed random part': `${region}.${flip(id, 35)}.${mac}`,
      'a changed mac': `${region}.${id}.${flip(mac, 8)}`,
      'another text of the same mac': `${region}.${id}.${mac.slice(0, -1)}${String.fromCharCode(mac.charCodeAt(mac.length - 1) + 1)}`,
      'no mac': `${region}.${id}`,
      'a truncated mac': token.slice(0, -1),
      'a truncated id': `${region}.${id.slice(0, -4)}.${mac}`,
      'a longer one': `${token}A`,
      'a megabyte': `${region}.${'A'.repeat(12_000)}.${mac}`,
      'a sign of another key': tokenMaker(world, { keys: strangers }).create(east, users[east]!.id).token,
      'a region that is not of this deployment, rightly signed': tokenMaker(world).create('north', users[east]!.id).token,
      'no token': '',
    };
  }

  it('is session-invalid in every region and costs the peers nothing', async () => {
    const tokens = await forgeries();
    const before = await callsBetween(world);
    for (const [name, token] of Object.entries(tokens)) for (const region of world.regions) {
      mustBeProblem(await world.check(region, token), 401, 'session-invalid');
      for (const path of ['/v1/sessions/current', '/v1/sessions']) {
        const answer = await world.api(region, 'DELETE', path, { token });
        expect(`${name}: ${answer.status}`).toBe(`${name}: 401`);
      }
    }
    expect(await callsBetween(world)).toEqual(before);
  });

  it('is session-invalid also where it names a region that never made it, by that region\'s word', async () => {
    const { token } = tokenMaker(world).create(east, users[east]!.id);
    for (const region of world.regions) mustBeProblem(await world.check(region, token), 401, 'session-invalid');
  });

  it('is session-invalid where its id says that it has expired, without a word to the peers and with the origin out of reach', async () => {
    const old = tokenMaker(world, { atMs: Date.now() - LIFE_MS - 25 * 3_600_000 });
    const before = await callsBetween(world);
    const ended = await tablesThatHoldEndings();
    for (const origin of world.regions) for (const region of world.regions) {
      const { token } = old.create(origin, users[east]!.id);
      mustBeProblem(await world.check(region, token), 401, 'session-invalid');
      expect((await world.api(region, 'DELETE', '/v1/sessions/current', { token })).status).toBe(204);
    }
    expect(await callsBetween(world)).toEqual(before);
    expect(await tablesThatHoldEndings()).toEqual(ended);
  });

  async function tablesThatHoldEndings(): Promise<object[]> {
    return world.sql(east, 'SELECT (SELECT count(*) FROM ended_session) AS ended, (SELECT sum(version) FROM signout) AS signouts');
  }
});

describe.each([linkCut(world, 'blackhole'), linkCut(world, 'hold'), linkCut(world, 'refuse'), linkCut(world, 'syn'), killed(world, east)])('while $name, a session', (situation) => {
  /** By origin: one that was read elsewhere before, one that was not. */
  const cached: Record<string, string> = {};
  const unseen: Record<string, string> = {};
  let cachedMs = 0;
  const end = during(world, situation, async () => {
    for (const region of world.regions) {
      [cached[region], unseen[region]] = await Promise.all([world.signIn(region, users[east]!), world.signIn(region, users[west]!)]) as [string, string];
    }
    cachedMs = performance.now();
    for (const region of world.regions) expect((await world.check(region, cached[otherThan(world, region)]!)).status).toBe(200);
  });

  it('made here is untouched', async () => {
    for (const region of situation.alive) for (const token of [cached[region]!, unseen[region]!]) {
      const answer = await world.check(region, token);
      expect([answer.status, answer.headers['homeward-read']]).toEqual([200, 'local']);
    }
  });

  it('made elsewhere is answered with session-origin-unavailable at once, and signing in again here works', async () => {
    for (const region of situation.alive) {
      const origin = otherThan(world, region);
      await mustBeRegenerated(region, unseen[origin]!, origin);
      expect((await world.check(region, unseen[origin]!)).ms).toBeLessThan(AT_ONCE_MS);
      const again = await world.trySignIn(region, users[origin]!);
      expect([again.status, again.body.origin]).toEqual([201, region]);
      expect((await world.check(region, again.body.token)).headers['homeward-read']).toBe('local');
    }
  });

  if (CACHE_TRIED_IN.has(situation.name)) it('that was read here is served from the cache for up to 5 s, then regenerated', async () => {
    for (const region of situation.alive) {
      const origin = otherThan(world, region);
      const first = await world.check(region, cached[origin]!);
      // A machine that took longer than the cache lives to get here has nothing to show of it.
      if (performance.now() - cachedMs < CACHE_MS - 1_000) expect([first.status, first.headers['homeward-read']]).toEqual([200, 'cache']);
      await eventually(() => mustBeRegenerated(region, cached[origin]!, origin), CACHE_MS + 2_000);
    }
  });

  it('works everywhere again once all is healed', async () => {
    await end();
    await world.mustConverge();
    for (const region of world.regions) for (const origin of world.regions) {
      const answer = await world.check(region, unseen[origin]!);
      expect([answer.status, answer.headers['homeward-read']]).toEqual([200, region === origin ? 'local' : 'origin']);
    }
  });
});
