import { describe, expect, it } from 'vitest';
import { limits } from '#kernel/config';
import { type Answer, eventually } from '../../regions/harness/index.js';
import { WRITE_ENDS_MS, accountsOf } from '../../regions/situations.js';
import { world } from './world.js';

const [EAST, WEST] = ['east', 'west'] as const;
/** More than have a place and may wait for one. */
const CALLS = limits.peerCallsAtOnce + limits.peerCallsWaiting + 40;

/** A peer whose kernel accepts and whose service never answers. */
describe('faults 6: a peer accepts and never answers', () => {
  it('holds so many calls and no more, each for no longer than its own budget', async () => {
    const user = await world().register(WEST, WEST);
    await world().settleAll();
    const identifiers = Array.from({ length: CALLS }, () => world().identifier(EAST));
    const register = (identifier: string): Promise<Answer> => world().api(WEST, 'POST', '/v1/accounts', { body: { identifier, password: 'violet-otter-42' } });
    await world().part(EAST, 'api', { state: 'frozen' });
    const [answers, mine] = await Promise.all([Promise.all(identifiers.map(register)), world().trySignIn(WEST, user)]);
    expect(mine.status).toBe(201);
    const slugs = answers.map(({ body }) => body.type.replace('urn:homeward:problem:', ''));
    expect(new Set(slugs)).toEqual(new Set(['outcome-unknown', 'home-unavailable']));
    expect(slugs.filter((slug) => slug === 'outcome-unknown').length).toBeLessThanOrEqual(limits.peerCallsAtOnce);
    for (const { status, ms, headers } of answers) {
      expect(status).toBe(503);
      expect(ms).toBeLessThan(WRITE_ENDS_MS);
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    await world().part(EAST, 'api', { state: 'up' });
    await world().settleAll();
    // What was called certainly not done stays undone; what was on its way came after its deadline.
    for (const [index, slug] of slugs.entries()) if (slug === 'home-unavailable') expect(await accountsOf(world(), EAST, identifiers[index]!)).toEqual([]);
    await eventually(async () => expect((await world().register(EAST, WEST)).home).toBe(EAST));
  });
});
