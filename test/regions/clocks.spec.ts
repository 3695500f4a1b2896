import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, eventually } from './harness/index.js';
import { readMetrics, sumOf } from './harness/metrics.js';
import { fileWorld, mustBeProblem } from './situations.js';

const world = fileWorld();
const HOUR_MS = 3_600_000;
const SESSION_DAYS_MS = 30 * 24 * HOUR_MS;
/** What a region whose clock is right may be off by: the machine is one, so this is only what it takes to ask. */
const RIGHT_MS = 60_000;
const EDITS = 10;
const MOVE_EVERY_MS = 300;

/** East's clock as a fault has it; west's is right. */
class WrongClock {
  private timer: NodeJS.Timeout | undefined;
  private moving: Promise<void> = Promise.resolve();
  private moves = 0;

  /** @param at the offset after so many moves; it moves for as long as the fault lasts */
  constructor(
    readonly name: string,
    private readonly at: (moves: number) => number,
    private readonly moved: boolean,
  ) {}

  get steady(): number | undefined {
    return this.moved ? undefined : this.at(0);
  }

  async begin(): Promise<void> {
    await world.clock('east', this.at(0));
    if (this.moved) this.timer = setInterval(() => (this.moving = this.moving.then(() => world.clock('east', this.at((this.moves += 1))))), MOVE_EVERY_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await this.moving;
    await world.clock('east', 0);
  }
}

const CLOCKS = [
  new WrongClock('1 h ahead', () => HOUR_MS, false),
  new WrongClock('1 h behind', () => -HOUR_MS, false),
  new WrongClock('jumping between both', (moves) => (moves % 2 === 0 ? HOUR_MS : -HOUR_MS), true),
  new WrongClock('drifting by 5 s a second, forwards and back', (moves) => 1_500 * (20 - Math.abs((moves % 40) - 20)), true),
].map((clock) => ({ clock, name: clock.name }));

describe.each(CLOCKS)('faults 28: with the clock of a region $name', ({ clock }) => {
  let user: User;
  let tokens: Record<string, string>;

  beforeAll(async () => {
    user = await world.register('west', 'west', { displayName: 'at first' });
    await world.settleAll();
    await clock.begin();
    tokens = { east: await world.signIn('east', user), west: await world.signIn('west', user) };
  });
  afterAll(() => clock.end());

  async function edit(region: string, displayName: string, consistency?: string): Promise<Answer> {
    const answer = await world.api(region, 'PATCH', '/v1/profile', { token: tokens[region]!, body: { displayName }, consistency });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.fields.displayName).toBe(displayName);
    return answer;
  }

  /** Until a region shows this name to somebody who sends no token. */
  function untilShown(region: string, displayName: string): Promise<void> {
    return eventually(async () => {
      expect((await world.api(region, 'GET', '/v1/profile', { token: tokens[region]! })).body.fields.displayName).toBe(displayName);
    });
  }

  it('an edit by somebody who had seen another always wins, whichever region either was made in', async () => {
    for (let count = 0; count < EDITS; count += 1) {
      const [region, other] = count % 2 === 0 ? ['east', 'west'] : ['west', 'east'];
      await edit(region!, `edit ${count}`);
      await untilShown(other!, `edit ${count}`);
    }
    for (const region of world.regions) await untilShown(region, `edit ${EDITS - 1}`);
  });

  it('so does one by somebody who carries the token of the other edit, which has not arrived yet', async () => {
    let consistency: string | undefined;
    for (let count = 0; count < EDITS; count += 1) {
      consistency = (await edit(count % 2 === 0 ? 'west' : 'east', `token ${count}`, consistency)).headers['homeward-consistency'] as string;
    }
    for (const region of world.regions) await untilShown(region, `token ${EDITS - 1}`);
  });

  it("the other region's clock does not follow, whatever it has seen of that one's", async () => {
    const fresh = await world.register('west', 'west');
    const token = await world.signIn('west', fresh);
    const { body } = await world.api('west', 'PATCH', '/v1/profile', { token, body: { bio: 'here and now' } });
    expect(Math.abs(Date.parse(body.updatedAt) - Date.now())).toBeLessThan(RIGHT_MS);
    const session = (await world.check('west', token)).body;
    expect(Math.abs(Date.parse(session.createdAt) - Date.now())).toBeLessThan(RIGHT_MS);
  });

  if (clock.steady !== undefined) it('the skew is reported by the other region, with its size and its sign', async () => {
    // The next heartbeat tells it, so that it may be a quarter of a second late.
    await eventually(async () => {
      const { clockSkewMs, clockSkewed } = (await world.ops('west', 'GET', '/ops/status')).body.peers.east;
      expect({ clockSkewed, right: Math.abs(clockSkewMs - clock.steady!) < RIGHT_MS }).toEqual({ clockSkewed: true, right: true });
    });
    const samples = readMetrics((await world.ops('west', 'GET', '/metrics')).text);
    expect(Math.abs(sumOf(samples, 'homeward_clock_skew_seconds', { peer: 'east' })! * 1_000 - clock.steady!)).toBeLessThan(RIGHT_MS);
  });

  it('sessions of either region are good in both, live for 30 days, and end when they are told to', async () => {
    for (const door of world.regions) {
      const answer = await world.trySignIn(door, user);
      expect(answer).toMatchObject({ status: 201, body: { assurance: 'full' } });
      const { token, expiresAt } = answer.body;
      for (const region of world.regions) {
        const { status, body } = await world.check(region, token);
        expect({ status, expiresAt: body.expiresAt }).toEqual({ status: 200, expiresAt });
        expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(SESSION_DAYS_MS);
      }
      expect((await world.api(door === 'east' ? 'west' : 'east', 'DELETE', '/v1/sessions/current', { token })).status).toBe(204);
      for (const region of world.regions) await eventually(async () => mustBeProblem(await world.check(region, token), 401, 'session-invalid'));
    }
  });

  it('writes are forwarded under their deadlines, and a password that was changed is dead in both', async () => {
    for (const [home, door] of [['east', 'west'], ['west', 'east']] as const) {
      const one = await world.register(home, door);
      const token = await world.signIn(door, one);
      const next = `${one.password}-next`;
      expect((await world.api(door, 'PUT', '/v1/password', { token, body: { current: one.password, next } })).status).toBe(204);
      for (const region of world.regions) {
        await eventually(async () => mustBeProblem(await world.trySignIn(region, one), 401, 'invalid-credentials'));
        expect((await world.trySignIn(region, { ...one, password: next })).status).toBe(201);
      }
      expect((await world.check(door, token)).status).toBe(200);
    }
  });

  it('and once it is right again the last edit still wins, in both regions, and all is equal', async () => {
    await clock.end();
    for (const [region, other] of [['west', 'east'], ['east', 'west']] as const) {
      await edit(region, `right in ${region}`);
      await untilShown(other, `right in ${region}`);
    }
    for (const region of world.regions) expect((await world.check(region, tokens[region]!)).status).toBe(200);
    await world.mustConverge();
  });
});
