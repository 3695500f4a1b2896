import { afterAll, beforeAll } from 'vitest';
import { describeFuzzing } from '../regions/fuzzing.js';
import { portBase } from '../regions/harness/config.js';
import { Runtime, World } from '../regions/harness/index.js';
import './abuse/oracles.js';
import './abuse/flood.js';
import './abuse/bulkhead.js';
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
