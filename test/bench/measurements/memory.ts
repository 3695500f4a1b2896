import type { Bench, Measurement } from '../bench.js';
import { total } from '../memory-sampler.js';
import { type Row, atMost } from '../rows.js';

/** What a loaded service may hold. */
const MOST_MB = 180;
/** After so long a fresh service has done what it does at its start. */
const QUIET_MS = 5_000;

export const memoryIdle: Measurement = {
  name: 'memory-idle',
  run: async (bench: Bench): Promise<Row[]> => {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    return bench.world.regions.map((region) => ({ name: `memory of ${region} idle`, unit: 'MB' as const, measured: total(bench.memory.now(region)) }));
  },
};

/** To be run right after session checks and sign-ins: the most that was seen while those went on. */
export const memoryLoaded: Measurement = {
  name: 'memory-loaded',
  run: async (bench: Bench): Promise<Row[]> => {
    const most = bench.memory.peak(bench.here);
    return [
      { name: `memory of ${bench.here} loaded: the service's process`, unit: 'MB', measured: most.serviceMb, aim: atMost(MOST_MB) },
      { name: 'the same with its hashing process', unit: 'MB', measured: total(most), aim: atMost(MOST_MB) },
    ];
  },
};
