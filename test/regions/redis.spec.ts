import { randomBytes, randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '#kernel/routing';
import { PARTITIONS, WIRE_VERSION } from '#kernel/wire';
import { Seeded } from '../faults/drill/seeded.js';
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
  const end = new AbortController();
  const lanes = tokens.map(async (token) => {
    const seen = new Set<number>();
    while (!end.signal.aborted) {
      const answer = await world.check(region, token).catch(() => undefined);
      if (answer !== undefined) seen.add(answer.status);
      await new Promise((look) => setTimeout(look, 5));
    }
    return seen;
  });
  return () => {
    end.abort();
    return Promise.all(lanes);
  };
}

describe('faults 26: with Redis gone', () => {
  let token: string;
  let ended: string;
  let elsewhere: string;
  let everywhere: string[];

  beforeAll(async () => {
    [token, ended, elsewhere, ...everywhere] = await Promise.all([[east, user], [east, user], [west, user], [east, other], [west, other]].map(([region, who]) =>
      world.signIn(region as string, who as User))) as [string, string, string, ...string[]];
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
    await signOut(east, '/v1/sessions', everywhere[0]!);
    await eventually(() => mustBeDead(west, everywhere[1]!));
  });

  it('registration, routes and readiness are as ever, and the other region is untouched', async () => {
    const registered = await world.register(east);
    await eventually(async () => expect(await world.sql(west, 'SELECT 1 FROM account WHERE id = $1', [registered.id])).toHaveLength(1));
    expect((await world.api(east, 'GET', `/v1/route?identifier=${encodeURIComponent(user.identifier)}`)).status).toBe(200);
    await eventually(async () => {
      const ready = await world.ops(east, 'GET', '/health/ready');
      expect([ready.status, ready.text]).toEqual([200, expect.stringMatching(/redis.*degraded|degraded.*redis/s)]);
    });
    expect((await world.check(west, elsewhere)).status).toBe(200);
    mustBeProblem(await world.check(west, token), 401, 'session-origin-unavailable', { origin: east, regenerate: true });
  });

  it('and back empty, its sessions are invalid everywhere, signing in again works, and what was ended stays ended', async () => {
    await world.part(east, 'redis', { state: 'up' });
    await eventually(() => mustBeDead(east, token));
    const again = await eventually(() => world.signIn(east, user));
    await world.mustConverge();
    for (const region of world.regions) {
      for (const dead of [token, ended, ...everywhere]) await mustBeDead(region, dead);
      expect((await world.check(region, again)).status).toBe(200);
    }
  });
});

describe('faults 27: with Redis emptied', () => {
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

describe('faults 27, 39: Redis back with an old state', () => {
  it('undoes no sign-out and no password change, from its first moment on; what was not ended goes on', async () => {
    const calm = await world.register(east);
    const [left, asking, byEpoch, byAll, byAllToo, alive, whileGone] = await Promise.all([user, user, user, other, other, calm, calm].map((who) => world.signIn(east, who))) as
      [string, string, string, string, string, string, string];
    const forget = await keepOldState(world, east);
    try {
      await signOut(east, '/v1/sessions/current', left);
      const old = user;
      user = { ...user, password: `next-${randomBytes(9).toString('hex')}` };
      expect((await changePassword(east, asking, old.password, user.password)).status).toBe(204);
      await signOut(east, '/v1/sessions', byAll);
      await world.part(east, 'redis', { state: 'down', signal: 'SIGKILL' });
      await signOut(east, '/v1/sessions/current', whileGone);
      const dead = [left, byEpoch, byAll, byAllToo, whileGone];
      const statuses = checkingAlways(east, dead);
      await world.part(east, 'redis', { state: 'up' });
      await eventually(async () => expect((await world.check(east, alive)).status).toBe(200));
      mustBeProblem(await world.trySignIn(east, old), 401, 'invalid-credentials');
      await world.mustConverge();
      for (const seen of await statuses()) expect([...seen]).not.toContain(200);
      for (const region of world.regions) {
        for (const token of dead) await mustBeDead(region, token);
        for (const token of [alive, asking]) expect((await world.check(region, token)).status).toBe(200);
      }
    } finally {
      forget();
    }
  });
});

describe('faults 39: the service killed between a commit and Redis', () => {
  /** What the home's transaction of a password change writes, with nobody there to go on. */
  async function commitPasswordChange(account: string): Promise<void> {
    const partition = partitionOf(account, PARTITIONS);
    await world.sql(east, `
      WITH changed AS (UPDATE password SET epoch = epoch + 1, version = version + 1 WHERE region = 'east' AND account = $1 RETURNING epoch),
      known AS (INSERT INTO credential_epoch (account, epoch) SELECT $1, epoch FROM changed
        ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, keep_session = NULL),
      event AS (INSERT INTO outbox (stream, partition, version, key, payload)
        SELECT 'epochs', $2, $3, $1, jsonb_build_object('account', $1::uuid, 'epoch', epoch) FROM changed)
      INSERT INTO redis_pending (account) SELECT $1 FROM changed`, [account, partition, WIRE_VERSION]);
  }

  /** What the transaction of a sign-out writes. */
  async function commitSignOut(token: string): Promise<void> {
    const { hash } = tokenMaker(world).parse(token)!;
    const expires = new Date(Date.now() + 86_400_000);
    await world.sql(east, `WITH ended AS (INSERT INTO ended_session (region, slot, session_hash, expires_at) VALUES ('east', 1, $1, $2))
      INSERT INTO redis_pending (session_hash, expires_at) VALUES ($1, $2)`, [hash, expires]);
  }

  it('leaves no session of an ended epoch and no session that was signed out, not even in its first moment', async () => {
    const users = await Promise.all([east, east, east].map((home) => world.register(home)));
    const byEpoch = await Promise.all(users.flatMap((who) => [world.signIn(east, who), world.signIn(east, who)]));
    const [left, alive] = await Promise.all([world.signIn(east, other), world.signIn(east, other)]);
    await world.settleAll();
    await world.part(east, 'api', { state: 'down', signal: 'SIGKILL' });
    for (const { id } of users) await commitPasswordChange(id);
    await commitSignOut(left);
    const dead = [...byEpoch, left];
    const statuses = checkingAlways(east, dead);
    await world.part(east, 'api', { state: 'up' });
    await eventually(async () => {
      for (const token of dead) await mustBeDead(east, token);
    });
    await world.mustConverge();
    const seen = await statuses();
    expect(seen.some((each) => each.has(401))).toBe(true);
    for (const each of seen) expect([...each]).not.toContain(200);
    for (const region of world.regions) {
      for (const token of dead) await mustBeDead(region, token);
      expect((await world.check(region, alive)).status).toBe(200);
    }
  });
});

describe('faults 39: sign-in racing a password change', () => {
  it('never leaves a session of the ended epoch, in 30 rounds, whichever comes first and in whichever region', async () => {
    const seed = randomInt(2 ** 31);
    process.stdout.write(`redis.spec: seed ${seed}\n`);
    const random = new Seeded(seed);
    // Six rounds each: what is refused counts as attempts of its identifier.
    const racers = await Promise.all(Array.from({ length: 5 }, async () => {
      const racer = await world.register(east);
      return { racer, asking: await world.signIn(east, racer) };
    }));
    await world.settleAll();
    const tally = { entered: 0, refused: 0 };
    const late: string[] = [];
    for (let round = 0; round < 30; round += 1) {
      const one = racers[round % racers.length]!;
      const { racer, asking } = one;
      const next = `next-${seed}-${round}`;
      const region = round % 3 === 2 ? west : east;
      const spreadMs = random.between(0, 150);
      const entering = new Promise((begin) => setTimeout(begin, spreadMs)).then(() => world.trySignIn(region, racer));
      const changed = await changePassword(east, asking, racer.password, next);
      expect(changed.status).toBe(204);
      const entered = await entering;
      one.racer = { ...racer, password: next };
      if (entered.status !== 201) {
        mustBeProblem(entered, 401, 'invalid-credentials');
        tally.refused += 1;
        continue;
      }
      tally.entered += 1;
      late.push(entered.body.token);
      if (region === east) await mustBeDead(east, entered.body.token);
      else await eventually(() => mustBeDead(west, entered.body.token));
    }
    // A race that only one side ever wins would show nothing.
    expect(tally.entered, JSON.stringify(tally)).toBeGreaterThan(0);
    expect(tally.refused, JSON.stringify(tally)).toBeGreaterThan(0);
    await world.mustConverge();
    for (const region of world.regions) {
      for (const token of late) await mustBeDead(region, token);
      for (const { asking } of racers) expect((await world.check(region, asking)).status).toBe(200);
    }
  });
});
