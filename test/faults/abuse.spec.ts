import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeFuzzing } from '../regions/fuzzing.js';
import { portBase } from '../regions/harness/config.js';
import { Runtime, World } from '../regions/harness/index.js';
import './abuse/oracles.js';
import './abuse/flood.js';
import './abuse/connections.js';
import { useWorld, world } from './abuse/world.js';

/** Apart from the deployment that other specs share: its clients come from many addresses, through a proxy that it trusts. */
const BASE = portBase + 600;
const FUZZED = 400;

let runtime: Runtime;
beforeAll(async () => {
  runtime = await Runtime.start({ portBase: BASE, env: { HOMEWARD_TRUSTED_PROXIES: '127.0.0.1' } });
  useWorld(new World(runtime.address));
});
afterAll(() => runtime.stop());

describeFuzzing('faults 33', world, FUZZED);

describe('faults 33: after all this abuse', () => {
  it('nothing is left of it: regions are equal, and a new user registers and enters everywhere', async () => {
    await world().mustConverge();
    const user = await world().register('east', 'west');
    for (const region of world().regions) expect((await world().trySignIn(region, user)).status).toBe(201);
  });
});
