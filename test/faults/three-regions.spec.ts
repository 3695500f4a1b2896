import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Cut, type User, eventually } from '../regions/harness/index.js';
import { accountsOf, mustBeProblem } from '../regions/situations.js';
import { ThreeRegions } from '../regions/three-regions.js';

/** The silent cut of issue 3, and the rows' own. */
const LONG_CUT_MS = 90_000;
const CUT_MS = 60_000;
/** The budgets of a read and a write (contract, "What works when"), and how much longer a busy machine may need. */
const READ_MS = 1_000;
const WRITE_MS = 3_000;
const MARGIN_MS = 3_000;
/** A refusal that waits for nobody and nothing; one that hashes first has to share two cores with those of three regions. */
const AT_ONCE_MS = 2_000;
const EVERY_MS = 1_000;
const TEST_MS = 240_000;

let three: ThreeRegions;

beforeAll(async () => {
  three = await ThreeRegions.start();
});
afterAll(() => three.stop());

describe('faults 12: three regions, one of them cut off for 90 s', () => {
  it('the others do not notice, and all are equal within seconds of healing', () => three.cutOneOff(LONG_CUT_MS), TEST_MS);
});

/** A link in one of the ways in which it can be cut. */
interface CutLink {
  readonly between: [string, string];
  readonly mode: Cut;
  readonly direction?: string;
}

/** A user of each region, signed in there. */
interface Known {
  readonly user: User;
  readonly token: string;
}

/** A call that needs another region, and what it may take at most. */
interface ForeignCall {
  readonly call: Promise<Answer>;
  readonly budgetMs: number;
  readonly hashes: boolean;
}

/** A registration asked for where the home could not be reached, and what was said of it. */
interface Wanted {
  readonly door: string;
  readonly home: string;
  readonly key: string;
  readonly body: { readonly identifier: string; readonly password: string };
  readonly slug: string;
}

const ROUNDS: { name: string; cuts: CutLink[] }[] = [
  { name: 'all links cut silently, each in its way (blackhole, hold, syn),', cuts: [{ between: ['east', 'west'], mode: 'blackhole' }, { between: ['west', 'north'], mode: 'hold' }, { between: ['east', 'north'], mode: 'syn' }] },
  {
    name: 'one link refusing, the others cut one way,',
    cuts: [{ between: ['east', 'west'], mode: 'refuse' }, { between: ['west', 'north'], mode: 'blackhole', direction: 'west-to-north' }, { between: ['east', 'north'], mode: 'blackhole', direction: 'north-to-east' }],
  },
];

describe.each(ROUNDS)('faults 1, 2, 3: $name for 60 s, with established connections', ({ cuts }) => {
  const known = new Map<string, Known>();
  const wanted: Wanted[] = [];
  let boots: unknown[];
  let cutAtMs: number;

  beforeAll(async () => {
    const { world } = three;
    for (const region of world.regions) {
      const user = await world.register(region);
      known.set(region, { user, token: await world.signIn(region, user) });
    }
    await world.settleAll();
    boots = await three.boots();
    cutAtMs = performance.now();
    await Promise.all(cuts.map(({ between, mode, direction }) => world.cut(mode, direction === undefined ? { between } : { between, direction })));
  });
  afterAll(async () => {
    for (const { between } of cuts) await three.world.heal(between);
  });

  /** Every call that needs the other region: a write, two reads for what is not known here, and a session of there. */
  function foreignCalls(region: string, other: string): ForeignCall[] {
    const { world } = three;
    const { user, token } = known.get(other)!;
    return [
      { call: registerAway(region, other), budgetMs: WRITE_MS, hashes: false },
      { call: world.trySignIn(region, { ...user, password: 'not-the-password' }), budgetMs: READ_MS, hashes: true },
      { call: world.trySignIn(region, { identifier: world.identifier(other), password: 'violet-otter-42' }), budgetMs: READ_MS, hashes: true },
      { call: world.check(region, token), budgetMs: READ_MS, hashes: false },
    ];
  }

  async function registerAway(door: string, home: string): Promise<Answer> {
    const [key, body] = [randomUUID(), { identifier: three.world.identifier(home), password: 'violet-otter-42' }];
    const answer = await three.world.api(door, 'POST', '/v1/accounts', { body, key });
    wanted.push({ door, home, key, body, slug: answer.body.type.split(':').at(-1) });
    return answer;
  }

  /** Asks each region everything that needs another. @param slugs what a 503 may be */
  async function mustAllBeRefused(slugs: string, atOnce: boolean): Promise<void> {
    const { world } = three;
    await Promise.all(world.regions.flatMap((region) => world.regions.filter((other) => other !== region).flatMap((other) => foreignCalls(region, other).map(async ({ call, budgetMs, hashes }) => {
      const answer = await call;
      if (answer.status === 401) expect(answer.body).toMatchObject({ type: 'urn:homeward:problem:session-origin-unavailable', origin: other, regenerate: true });
      else {
        expect(answer.body.type, answer.text).toMatch(new RegExp(`:(${slugs})$`));
        mustBeProblem(answer, 503, answer.body.type.split(':').at(-1), { home: other });
      }
      expect(answer.ms).toBeLessThan(atOnce && !hashes ? AT_ONCE_MS : budgetMs + MARGIN_MS);
    }))));
  }

  /** What a region does by itself. */
  async function mustWorkAlone(region: string): Promise<void> {
    const { world } = three;
    const user = await world.register(region);
    const token = await world.signIn(region, user);
    expect((await world.check(region, token)).status).toBe(200);
    expect((await world.api(region, 'PATCH', '/v1/profile', { token, body: { displayName: `in ${region}` } })).status).toBe(200);
    expect((await world.api(region, 'PUT', '/v1/password', { token, body: { current: user.password, next: `${user.password}-2` } })).status).toBe(204);
    for (const { user: guest } of known.values()) expect((await world.trySignIn(region, guest)).status).toBe(201);
    expect((await world.api(region, 'DELETE', '/v1/sessions', { token })).status).toBe(204);
  }

  it('from the first moment on no call waits longer than its budget, and each is refused, typed', () => mustAllBeRefused('home-unavailable|outcome-unknown', false), TEST_MS);

  it('once it is seen, by both ends, every refusal is immediate for as long as it lasts, and each region works alone', async () => {
    const { world } = three;
    await world.untilCutSeen();
    for (const region of world.regions) {
      await eventually(async () => {
        const { peers } = (await world.ops(region, 'GET', '/ops/status')).body;
        expect(Object.values<any>(peers).map(({ link }) => link)).toEqual(['down', 'down']);
      });
    }
    for (let turn = 0; performance.now() - cutAtMs < CUT_MS; turn += 1) {
      await mustAllBeRefused('home-unavailable', true);
      await mustWorkAlone(world.regions[turn % world.regions.length]!);
      await new Promise((next) => setTimeout(next, EVERY_MS));
    }
  }, TEST_MS);

  it('healing brings back everything by itself: equal within seconds, nothing decided twice, nothing refused had an effect', async () => {
    const { world } = three;
    await Promise.all(cuts.map(({ between }) => world.heal(between)));
    const healedAtMs = performance.now();
    const equalMs = await three.untilEqual(healedAtMs);
    console.log(`equal again after a cut of ${Math.round((healedAtMs - cutAtMs) / 1_000)} s, ms since healing: ${JSON.stringify(equalMs)}`);
    await world.mustConverge();
    expect(await three.boots()).toEqual(boots);
    for (const { door, home, key, body, slug } of wanted) {
      const there = await Promise.all(world.regions.map((region) => accountsOf(world, region, body.identifier)));
      if (slug === 'home-unavailable') expect(there).toEqual([[], [], []]);
      else {
        const answer = await world.api(door, 'POST', '/v1/accounts', { body, key });
        expect(answer).toMatchObject({ status: 201, body: { home } });
        for (const ids of there) expect(ids).toEqual(there[0]!.length === 0 ? [] : [answer.body.id]);
      }
    }
    for (const [origin, { token }] of known) for (const region of world.regions) await eventually(async () => expect(await world.check(region, token)).toMatchObject({ status: 200, body: { origin } }));
  }, TEST_MS);
});
