import { beforeAll, describe, expect, it } from 'vitest';
import { limits } from '#kernel/config';
import { type Answer, type Cut, type User, eventually, sharedWorld } from './harness/index.js';

const world = sharedWorld();
/** What a call may take at most, and how much longer a busy machine may need (contract, "What works when"). */
const READ_MS = 1_000;
const WRITE_MS = 3_000;
const MARGIN_MS = 2_000;
/** A refusal that waits for nobody. */
const IMMEDIATE_MS = 2_000;
/** A cached session's longest life without its origin. */
const CACHED_MS = 5_000;
/** Calls at once that need a peer: many more than have a place. */
const MANY = 200;
const LOCAL = 20;

/** One user of each home, with a session in each region and what is said of both elsewhere. */
interface Two {
  readonly east: User;
  readonly west: User;
  readonly tokens: { readonly east: string; readonly west: string };
}

let east: User;
let west: User;

beforeAll(async () => {
  [east, west] = [await world.register('east'), await world.register('west')];
  await world.settleAll();
});

/** New sessions, so that none is cached elsewhere. */
async function two(): Promise<Two> {
  return { east, west, tokens: { east: await world.signIn('east', east), west: await world.signIn('west', west) } };
}

const other = (region: string): string => (region === 'east' ? 'west' : 'east');

/** Every call that needs the other region, asked in `region` at once. */
function foreignCalls(region: 'east' | 'west', users: Two): Promise<Answer>[] {
  const away = users[other(region) as 'east' | 'west'];
  return [
    world.api(region, 'POST', '/v1/accounts', { body: { identifier: world.identifier(away.home), password: 'violet-otter-42' } }),
    world.trySignIn(region, { ...away, password: 'not-the-password' }),
    world.trySignIn(region, { identifier: world.identifier(away.home), password: 'violet-otter-42' }),
    world.check(region, users.tokens[other(region) as 'east' | 'west']),
  ];
}

/** Refused by kind, and whether it may be asked again and when. */
function mustBeRefusal(answer: Answer, home: string): void {
  if (answer.status === 401) {
    expect(answer.body).toMatchObject({ type: 'urn:homeward:problem:session-origin-unavailable', origin: home, regenerate: true });
    return;
  }
  expect(answer.status).toBe(503);
  expect(['urn:homeward:problem:home-unavailable', 'urn:homeward:problem:outcome-unknown']).toContain(answer.body.type);
  expect(answer.body.home).toBe(home);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
}

/** What a region does by itself goes on: registering, signing in, checking, editing, changing the password. */
async function mustWorkAlone(region: 'east' | 'west', users: Two): Promise<void> {
  const user = await world.register(region);
  const token = await world.signIn(region, user);
  expect((await world.check(region, token)).status).toBe(200);
  expect((await world.api(region, 'PATCH', '/v1/profile', { token, body: { displayName: `in ${region}` } })).status).toBe(200);
  expect((await world.api(region, 'PUT', '/v1/password', { token, body: { current: user.password, next: `${user.password}-2` } })).status).toBe(204);
  const guest = await world.trySignIn(region, users[other(region) as 'east' | 'west']);
  expect(guest).toMatchObject({ status: 201, body: { assurance: expect.stringMatching(/full|local/) } });
  expect((await world.api(region, 'DELETE', '/v1/sessions/current', { token })).status).toBe(204);
}

async function boots(): Promise<unknown[]> {
  return Promise.all(world.regions.map((region) => world.sql(region, `SELECT body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [region])));
}

const CUTS: readonly { mode: Cut; direction: string }[] = [
  { mode: 'blackhole', direction: 'both' }, { mode: 'hold', direction: 'both' }, { mode: 'syn', direction: 'both' }, { mode: 'refuse', direction: 'both' },
  { mode: 'blackhole', direction: 'east-to-west' }, { mode: 'blackhole', direction: 'west-to-east' },
];

describe('faults 1, 2, 3: a cut link', () => {
  it.each(CUTS)('$mode, $direction: no call waits longer than its budget from the first moment on, both regions see it, each works alone, and healing needs no restart', async ({ mode, direction }) => {
    const users = await two();
    const before = await boots();
    await world.cut(mode, { direction });
    const cutAtMs = performance.now();
    const first = await Promise.all((['east', 'west'] as const).flatMap((region) => foreignCalls(region, users).map(async (call, index) => ({ answer: await call, region, isWrite: index === 0 }))));
    for (const { answer, region, isWrite } of first) {
      expect(answer.ms).toBeLessThan((isWrite ? WRITE_MS : READ_MS) + MARGIN_MS);
      mustBeRefusal(answer, other(region));
    }
    await eventually(async () => {
      for (const region of world.regions) expect((await world.ops(region, 'GET', '/ops/status')).body.peers[other(region)].link).toBe('down');
    }, Math.max(0, 2_000 + MARGIN_MS - (performance.now() - cutAtMs)));
    await world.untilCutSeen();
    for (const region of ['east', 'west'] as const) {
      for (const answer of await Promise.all(foreignCalls(region, users))) {
        mustBeRefusal(answer, other(region));
        expect(answer.body.type).not.toBe('urn:homeward:problem:outcome-unknown');
        expect(answer.ms).toBeLessThan(IMMEDIATE_MS);
      }
      await mustWorkAlone(region, users);
    }
    await world.heal();
    await world.mustConverge();
    for (const region of ['east', 'west'] as const) expect((await world.check(region, users.tokens[other(region) as 'east' | 'west'])).status).toBe(200);
    expect(await boots()).toEqual(before);
  });

  it('ends what is cached of a session made elsewhere within 5 s: then 401 with its origin and regenerate, and after healing it is good again', async () => {
    const { tokens } = await two();
    const read = await world.check('west', tokens.east);
    expect(read).toMatchObject({ status: 200, headers: { 'homeward-read': 'origin', 'homeward-home': 'east' }, body: { origin: 'east', account: { id: east.id } } });
    expect(await world.check('west', tokens.east)).toMatchObject({ status: 200, headers: { 'homeward-read': 'cache' } });
    await world.cut('blackhole');
    expect(await world.check('west', tokens.east)).toMatchObject({ status: 200, headers: { 'homeward-read': 'cache' } });
    const refused = await eventually(async () => {
      const answer = await world.check('west', tokens.east);
      expect(answer.status).toBe(401);
      return answer;
    }, CACHED_MS + MARGIN_MS);
    expect(refused.body).toMatchObject({ type: 'urn:homeward:problem:session-origin-unavailable', status: 401, origin: 'east', regenerate: true });
    // Told to sign in again here, the client does.
    expect(await world.trySignIn('west', east)).toMatchObject({ status: 201, body: { origin: 'west', assurance: 'local' } });
    await world.heal();
    await eventually(async () => expect(await world.check('west', tokens.east)).toMatchObject({ status: 200, body: { origin: 'east' } }));
    await world.mustConverge();
  });
});

describe('faults 6: a peer that accepts and never answers', () => {
  it('holds no more of a region than its places: who finds none is refused, typed, before any place is given up, and what is local goes on', async () => {
    const { tokens } = await two();
    const own = await world.signIn('east', east);
    await world.part('west', 'api', { state: 'frozen' });
    const asked = Array.from({ length: MANY }, () => world.check('east', tokens.west));
    const localMs = Promise.all(Array.from({ length: LOCAL }, async () => {
      const answer = await world.check('east', own);
      expect(answer.status).toBe(200);
      return answer.ms;
    }));
    const answers = await Promise.all(asked);
    for (const answer of answers) {
      mustBeRefusal(answer, 'west');
      expect(answer.ms).toBeLessThan(READ_MS + MARGIN_MS);
    }
    // A place that comes free after a budget is of no use to who has waited as long for it.
    expect(answers.filter(({ ms }) => ms > 2 * READ_MS).length).toBeLessThan(limits.peerCallsWaiting / 2);
    const beforeAnyGaveUp = answers.filter(({ ms }) => ms < READ_MS).length;
    expect(beforeAnyGaveUp).toBeGreaterThanOrEqual(MANY - limits.peerCallsAtOnce - limits.peerCallsWaiting);
    expect(Math.max(...(await localMs))).toBeLessThan(READ_MS + MARGIN_MS);
    expect(await world.trySignIn('east', { ...east })).toMatchObject({ status: 201, body: { assurance: 'full' } });
    await world.part('west', 'api', { state: 'up' });
    await world.mustConverge();
    expect((await world.check('east', tokens.west)).status).toBe(200);
  });
});

describe('a slow link', () => {
  it('of 100 ms each way lets everything work: registering, signing in and checking elsewhere, profile and password', async () => {
    await world.control('PUT', '/links/east/west', { state: 'up', latencyMs: 100, jitterMs: 5 });
    const user = await world.register('west', 'east', { displayName: 'Ada' });
    const token = await world.signIn('east', user);
    expect(await world.check('west', token)).toMatchObject({ status: 200, headers: { 'homeward-read': 'origin' } });
    const edited = await world.api('east', 'PATCH', '/v1/profile', { token, body: { bio: 'far away' } });
    const consistency = edited.headers['homeward-consistency'] as string;
    expect(await world.api('west', 'GET', '/v1/profile', { token, consistency })).toMatchObject({ status: 200, body: { fields: { displayName: 'Ada', bio: 'far away' } } });
    expect((await world.api('east', 'PUT', '/v1/password', { token, body: { current: user.password, next: 'quite-another-one-7' } })).status).toBe(204);
    expect((await world.trySignIn('east', user)).status).toBe(401);
    expect(await world.trySignIn('west', { ...user, password: 'quite-another-one-7' })).toMatchObject({ status: 201, body: { assurance: 'full' } });
    await world.control('PUT', '/links/east/west', { latencyMs: 0, jitterMs: 0 });
    await world.mustConverge();
  });
});
