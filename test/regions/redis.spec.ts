import { randomBytes, randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '#kernel/routing';
import { PARTITIONS, WIRE_VERSION } from '#kernel/wire';
import { type Answer, type User, eventually } from './harness/index.js';
import { keepOldState, tokenMaker, withRedis } from './harness/stores.js';
import { fileWorld, mustBeProblem } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];
let user: User;
let other: User;

beforeAll(async () => {
  [user, other] = await Promise.all([world.register(east), world.register(west)]);
  await world.settleAll();
});

function changePassword(region: string, token: string, current: string, next: string): Promise<Answer> {
  return world.api(region, 'PUT', '/v1/password', { token, body: { current, next } });
}

async function signOut(region: string, path: string, token: string): Promise<void> {
  expect((await world.api(region, 'DELETE', path, { token })).status).toBe(204);
}

async function mustBeDead(region: string, token: string): Promise<void> {
  mustBeProblem(await world.check(region, token), 401, 'session-invalid');
}

/** Checks tokens all the time, from before something happens until after it. @returns ends it, and tells the statuses seen, by token */
function checkingAlways(region: string, tokens: readonly string[]): () => Promise<Set<number>[]> {
  let going = true;
  const lanes = tokens.map(async (token) => {
    const seen = new Set<number>();
    while (going) {
      const answer = await world.check(region, token).catch(() => undefined);
      if (answer !== undefined) seen.add(answer.status);
      await new Promise((look) => setTimeout(look, 5));
    }
    return seen;
  });
  return () => {
    going = false;
    return Promise.all(lanes);
  };
}

describe('with Redis gone', () => {
  let token: string;
  let ended: string;
  let elsewhere: string;

  beforeAll(async () => {
    [token, ended, elsewhere] = await Promise.all([world.signIn(east, user), world.signIn(east, user), world.signIn(west, user)]);
    await world.part(east, 'redis', { state: 'down', signal: 'SIGKILL' });
    await eventually(async () => expect((await world.check(east, token)).status).toBe(503));
  });

  it('calls with a session and sign-in answer 503 unavailable, of the part redis', async () => {
    const answers = [
      await world.check(east, token), await world.trySignIn(east, user), await world.trySignIn(east, { ...user, password: 'wrong-password' }),
      await world.api(east, 'GET', '/v1/profile', { token }), await changePassword(east, token, user.password, 'another-password'),
    ];
    for (const answer of answers) mustBeProblem(answer, 503, 'unavailable', { part: 'redis' });
  });

  it('sign-out is taken', async () => {
    await signOut(east, '/v1/sessions/current', ended);
    await signOut(east, '/v1/sessions', await tokenOfDeadRedis());
  });

  it('registration, routes and readiness are as ever, and the other region is untouched', async () => {
    const registered = await world.register(east);
    await eventually(async () => expect(await world.sql(west, 'SELECT 1 FROM account WHERE id = $1', [registered.id])).toHaveLength(1));
    expect((await world.api(east, 'GET', `/v1/route?identifier=${encodeURIComponent(user.identifier)}`)).status).toBe(200);
    const ready = await world.ops(east, 'GET', '/health/ready');
    expect([ready.status, ready.text]).toEqual([200, expect.stringMatching(/redis.*degraded|degraded.*redis/s)]);
    expect((await world.check(west, elsewhere)).status).toBe(200);
    mustBeProblem(await world.check(west, token), 401, 'session-origin-unavailable', { origin: east, regenerate: true });
  });

  it('and back empty, its sessions are invalid everywhere, signing in again works, and what was ended stays ended', async () => {
    await world.part(east, 'redis', { state: 'up' });
    await eventually(() => mustBeDead(east, token));
    const again = await eventually(() => world.signIn(east, user));
    await world.mustConverge();
    for (const region of world.regions) {
      for (const dead of [token, ended]) await mustBeDead(region, dead);
      expect((await world.check(region, again)).status).toBe(200);
    }
  });

  /** A session of another user, whose region's Redis is gone: all that is known of it is its token. */
  async function tokenOfDeadRedis(): Promise<string> {
    return tokenMaker(world).create(east, other.id).token;
  }
});

describe('with Redis emptied', () => {
  it('signing in again works, and neither a sign-out nor a password change is undone', async () => {
    const [asking, mine, theirs] = [await world.signIn(east, user), await world.signIn(east, user), await world.signIn(west, other)];
    expect((await world.check(east, theirs)).status).toBe(200);
    const next = `next-${randomBytes(9).toString('hex')}`;
    expect((await changePassword(east, asking, user.password, next)).status).toBe(204);
    const old = user;
    user = { ...user, password: next };
    await signOut(east, '/v1/sessions/current', theirs);
    await withRedis(world, east, (redis) => redis.flushall());
    for (const token of [asking, mine, theirs]) await mustBeDead(east, token);
    mustBeProblem(await world.trySignIn(east, old), 401, 'invalid-credentials');
    const again = await world.signIn(east, user);
    expect((await world.check(east, again)).status).toBe(200);
    await world.mustConverge();
    for (const region of world.regions) for (const token of [asking, mine, theirs]) await mustBeDead(region, token);
    expect((await world.check(west, again)).status).toBe(200);
  });
});

describe('Redis back with an old state', () => {
  it('undoes no sign-out and no password change, from its first moment on; what was not ended goes on', async () => {
    const [left, asking, byEpoch, alive, byAll, whileGone] = await Promise.all([user, user, user, other, other, user].map((who) => world.signIn(east, who))) as
      [string, string, string, string, string, string];
    const forget = await keepOldState(world, east);
    try {
      await signOut(east, '/v1/sessions/current', left);
      const next = `next-${randomBytes(9).toString('hex')}`;
      expect((await changePassword(east, asking, user.password, next)).status).toBe(204);
      user = { ...user, password: next };
      await signOut(east, '/v1/sessions', byAll);
      const later = await world.signIn(east, other);
      await mustBeDead(east, alive);
      const checked = [left, byEpoch, alive, byAll, whileGone];
      const statuses = checkingAlways(east, checked);
      await world.part(east, 'redis', { state: 'down', signal: 'SIGKILL' });
      await signOut(east, '/v1/sessions/current', asking);
      await world.part(east, 'redis', { state: 'up' });
      await eventually(async () => expect((await world.trySignIn(east, user)).status).toBe(201));
      await world.mustConverge();
      for (const seen of await statuses()) expect([...seen].filter((status) => status === 200)).toEqual([]);
      for (const region of world.regions) for (const token of [...checked, asking, later]) await mustBeDead(region, token);
    } finally {
      forget();
    }
  });
});
