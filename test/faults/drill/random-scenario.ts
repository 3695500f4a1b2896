import { type Fault, type Scenario, faultsEndS } from './scenario.js';
import { Seeded } from './seeded.js';

/** So much of the time goes to the control phase, at least and at most. */
const CONTROL_S = { share: 0.15, least: 6, most: 20 };
/** Without faults at the end, so that the last one has time to heal under traffic. */
const HEALED_S = 10;
const GAP_S = [1, 6] as const;
const FAULT_S = [3, 12] as const;
/** A region whose disks stay needs so long to start again on a busy machine: nothing else begins meanwhile. */
const RESTART_S = 8;
/** A second fault at the same time, elsewhere. */
const TOGETHER = 0.3;
const MOST_SKEW_MS = 3_600_000;
const MODES = ['blackhole', 'hold', 'syn', 'refuse'] as const;

/**
 * A schedule that the seed decides. Its bounds: all has healed before the end; at most two faults at a time, never two of one thing;
 * Redis, which holds its data in memory only, is never lost in two regions at once, and two regions are never killed at once.
 */
export function randomScenario(seed: number, minutes: number, regions: readonly string[] = ['east', 'west']): Scenario {
  const random = new Seeded(seed);
  const totalS = minutes * 60;
  const controlS = Math.min(CONTROL_S.most, Math.max(CONTROL_S.least, Math.round(totalS * CONTROL_S.share)));
  const untilS = totalS - controlS - HEALED_S;
  const faults: Fault[] = [];
  for (let atS = random.between(...GAP_S); ; ) {
    const forS = rounded(random.between(...FAULT_S));
    if (atS + forS > untilS) break;
    const first = anyFault(random, regions, rounded(atS), forS);
    faults.push(first);
    const second = anyFault(random, regions, rounded(atS + random.between(0, forS / 2)), rounded(forS / 2));
    if (random.chance(TOGETHER) && mayMeet(first, second)) faults.push(second);
    atS = faultsEndS(faults) + random.between(...GAP_S) + (faults.some(({ fault }) => fault === 'kill') ? RESTART_S / 2 : 0);
  }
  return {
    name: `random-${seed}`, about: `Made from the seed ${seed} for ${minutes} minutes.`, regions: [...regions], controlS, healedS: totalS - controlS - Math.ceil(faultsEndS(faults)), faults,
    traffic: { usersPerRegion: 8, perSecond: 24 }, promises: { caughtUpWithinS: 15, untouchedLatency: false },
  };
}

function anyFault(random: Seeded, regions: readonly string[], atS: number, forS: number): Fault {
  const region = random.pick(regions);
  const other = random.pick(regions.filter((name) => name !== region));
  const between: [string, string] = [region, other];
  switch (random.weighed({ cut: 6, slow: 2, kill: 4, freeze: 3, clock: 2 })) {
    case 'cut': return { fault: 'cut', between, mode: random.pick(MODES), direction: random.pick(['both', 'both', `${region}-to-${other}`]), atS, forS };
    case 'slow': return { fault: 'slow', between, latencyMs: Math.round(random.between(50, 400)), jitterMs: Math.round(random.between(0, 100)), lossPercent: Math.round(random.between(0, 5)), atS, forS };
    case 'kill': return { fault: 'kill', region, part: random.pick(['api', 'postgres', 'redis', 'kafka', 'all']), atS, forS };
    case 'freeze': return { fault: 'freeze', region, part: random.pick(['api', 'postgres', 'redis', 'kafka']), atS, forS };
    case 'clock': return { fault: 'clock', region, offsetMs: Math.round(random.between(-MOST_SKEW_MS, MOST_SKEW_MS)), atS, forS };
  }
}

/** Whether two faults may be in force at once. */
export function mayMeet(one: Fault, other: Fault): boolean {
  if ('between' in one || 'between' in other) return !('between' in one && 'between' in other && [...one.between].sort().join() === [...other.between].sort().join());
  if (one.fault === 'clock' || other.fault === 'clock') return one.fault !== other.fault && one.region !== other.region;
  if (one.region === other.region) return one.part !== other.part && one.part !== 'all' && other.part !== 'all';
  const losesMemory = (fault: { fault: string; part: string }): boolean => fault.fault === 'kill' && (fault.part === 'redis' || fault.part === 'all');
  return !(losesMemory(one) && losesMemory(other));
}

function rounded(s: number): number {
  return Math.round(s * 10) / 10;
}
