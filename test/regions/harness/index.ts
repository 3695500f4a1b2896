import { afterAll, afterEach, inject } from 'vitest';
import { World } from './world.js';

export { call, type Answer } from './call.js';
export { Runtime } from './deployment.js';
export { eventually, throughout } from './eventually.js';
export { World, type Cut, type User } from './world.js';

/**
 * The deployment of two regions that all specs share. After each test the link is healed, every part is up and clocks are right again;
 * after each file everything has settled, so that a spec finds the world as it expects it.
 */
export function sharedWorld(): World {
  const world = new World(inject('address'));
  afterEach(async () => {
    await world.control('PUT', '/links/east/west', { state: 'up', latencyMs: 0, jitterMs: 0, lossPercent: 0 });
    await world.bringUp();
    for (const region of world.regions) await world.clock(region, 0);
  });
  afterAll(() => world.settleAll());
  return world;
}
