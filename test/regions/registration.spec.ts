import { describe, expect, it } from 'vitest';
import { eventually, sharedWorld } from './harness/index.js';

const world = sharedWorld();

describe('a registration', () => {
  it('is decided at the home and known in both regions, whichever door it came by', async () => {
    for (const home of world.regions) for (const door of world.regions) {
      const user = await world.register(home, door);
      for (const region of world.regions) expect(await eventually(() => world.signIn(region, user))).toBeTruthy();
    }
    await world.mustConverge();
  });
});
