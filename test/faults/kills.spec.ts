import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../regions/harness/index.js';
import { Traffic } from '../regions/harness/traffic.js';
import { itKeepsWhatWasAcknowledged } from '../regions/kept-writes.js';
import { fileWorld } from '../regions/situations.js';

/** "Back within 10 s of its restart" (faults, 14 and 22), ready within it of its return. */
const BACK_MS = 10_000;
const FREEZE_MS = 10_000;
const LONG_FREEZE_MS = 30_000;
/** Calls in each region before the fault and after it, so that each kind of write is under way; and what a killed part has missed. */
const CALLS_AROUND = 12;
const CALLS_MISSED = 6;

const world = fileWorld();
const [east, west] = world.regions as [string, string];

interface Fault {
  readonly name: string;
  readonly region: string;
  readonly part: string;
  /** Undefined where it is killed. */
  readonly frozenMs?: number;
}

function faultsOf(region: string, part: string): Fault[] {
  return [
    { name: `${part} is killed`, region, part },
    { name: `${part} is frozen for 10 s`, region, part, frozenMs: FREEZE_MS },
  ];
}

/** Which process of a service it is that writes: a restart would show. */
async function bootOf(region: string): Promise<string> {
  const [row] = await world.sql<{ boot: string }>(region, `SELECT body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [region]);
  return row!.boot;
}

async function untilReady(region: string): Promise<void> {
  await eventually(async () => expect((await world.ops(region, 'GET', '/health/ready')).status).toBe(200), BACK_MS);
}

/** Brings a part back, and asks again where a busy machine takes longer to start it than one call may take. */
function bringBack({ region, part }: Fault): Promise<void> {
  return eventually(() => world.part(region, part, { state: 'up' }), 60_000);
}

async function suffer(fault: Fault, traffic: Traffic): Promise<void> {
  const { region, part, frozenMs } = fault;
  const boots = await Promise.all(world.regions.map(bootOf));
  await traffic.more(CALLS_AROUND);
  await world.part(region, part, frozenMs === undefined ? { state: 'down', signal: 'SIGKILL' } : { state: 'frozen' });
  const other = world.regions.find((name) => name !== region)!;
  if (frozenMs === undefined) await traffic.more(CALLS_MISSED, [other]);
  else await new Promise((thaw) => setTimeout(thaw, frozenMs));
  expect((await world.ops(other, 'GET', '/health/ready')).status).toBe(200);
  await bringBack(fault);
  for (const name of world.regions) await untilReady(name);
  await traffic.more(CALLS_AROUND);
  // Nothing else was restarted.
  const restarted = part === 'api' && frozenMs === undefined ? region : undefined;
  await eventually(async () => {
    const now = await Promise.all(world.regions.map(bootOf));
    expect(world.regions.filter((_, index) => now[index] !== boots[index])).toEqual(restarted === undefined ? [] : [restarted]);
  });
}

function mustKeepAll(fault: Fault): void {
  const traffic = new Traffic(world);
  beforeAll(() => traffic.run());
  afterAll(() => traffic.stop());

  it('it goes on by itself: both regions are ready within 10 s of its return, and no other part was restarted', () => suffer(fault, traffic));
  itKeepsWhatWasAcknowledged(world, traffic);
}

describe.each(faultsOf(west, 'kafka'))('faults 13, 14: in the middle of traffic $name:', mustKeepAll);

describe.each(faultsOf(east, 'postgres'))('faults 22: in the middle of traffic $name:', mustKeepAll);

describe.each(faultsOf(west, 'redis'))('faults 26, 39: in the middle of traffic $name:', mustKeepAll);

describe.each([...faultsOf(east, 'api'), { name: 'api is frozen for 30 s', region: west, part: 'api', frozenMs: LONG_FREEZE_MS }])('faults 29, 30: in the middle of traffic $name:', mustKeepAll);
