import { setTimeout as pause } from 'node:timers/promises';
import type { Seeded } from '../faults/drill/seeded.js';
import { eventually } from '../regions/harness/eventually.js';
import type { Cut, World } from '../regions/harness/world.js';

const MODES: readonly Cut[] = ['blackhole', 'hold', 'syn', 'refuse'];
/** How long a fault lasts, and how long it is quiet after it. */
const LASTS_MS = { least: 2_000, most: 6_000 };
const QUIET_MS = { least: 500, most: 4_000 };
/** A part on a busy machine may need more than one call's time to come back. */
const HEAL_MS = 120_000;

interface Fault {
  readonly name: string;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

/** Cuts and kills one after the other, as the seed has them, until told to stop; all is whole when it resolves. @returns their names in order */
export async function playFaults(world: World, random: Seeded, stop: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  const stopped = (ms: { least: number; most: number }) => pause(random.between(ms.least, ms.most), undefined, { signal: stop }).catch(() => undefined);
  while (!stop.aborted) {
    const fault = choose(world, random);
    names.push(fault.name);
    await fault.begin();
    await stopped(LASTS_MS);
    await eventually(fault.end, HEAL_MS);
    await stopped(QUIET_MS);
  }
  return names;
}

function choose(world: World, random: Seeded): Fault {
  const [one, other] = random.chance(0.5) ? [world.regions[0]!, world.regions[1]!] : [world.regions[1]!, world.regions[0]!];
  const up = (part: string) => () => world.part(one, part, { state: 'up' });
  const kind = random.weighed({ cut: 5, oneWay: 1, api: 3, postgres: 2, kafka: 2, frozen: 2 });
  const mode = random.pick(MODES);
  if (kind === 'cut') return { name: `cut (${mode})`, begin: () => world.cut(mode), end: () => world.heal() };
  if (kind === 'oneWay') return { name: `cut ${one}-to-${other} (${mode})`, begin: () => world.cut(mode, { direction: `${one}-to-${other}` }), end: () => world.heal() };
  if (kind === 'frozen') return { name: `api of ${one} frozen`, begin: () => world.part(one, 'api', { state: 'frozen' }), end: up('api') };
  return { name: `${kind} of ${one} killed`, begin: () => world.part(one, kind, { state: 'down', signal: 'SIGKILL' }), end: up(kind) };
}
