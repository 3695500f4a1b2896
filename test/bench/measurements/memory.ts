import type { Bench, Measurement } from '../bench.js';
import { type Row, atMost } from '../rows.js';

/** Megabytes of a service that stands ready, its hashing process included. */
const MOST_MB = 180;
/** After so long a fresh service has done what it does at its start. */
const QUIET_MS = 5_000;

export const memoryIdle: Measurement = {
  name: 'memory-idle',
  run: async (bench: Bench): Promise<Row[]> => {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    return bench.world.regions.map((region) => {
      const { residentMb, proportionalMb } = bench.memory.now(region);
      return { name: `memory of ${region} idle, resident, with its hashing process`, unit: 'MB' as const, measured: residentMb, limit: proportionalMb, against: 'shared pages once' };
    });
  },
};

/** To be run right after session checks and sign-ins: the most that was seen while those went on. */
export const memoryLoaded: Measurement = {
  name: 'memory-loaded',
  run: async (bench: Bench): Promise<Row[]> => {
    const { residentMb, proportionalMb } = bench.memory.peak(bench.here);
    return [{ name: `memory of ${bench.here} loaded, the most seen`, unit: 'MB', measured: residentMb, limit: proportionalMb, against: 'shared pages once', aim: atMost(MOST_MB) }];
  },
};
