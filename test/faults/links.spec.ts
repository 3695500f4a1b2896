import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, eventually, sharedWorld } from '../regions/harness/index.js';
import { readMetrics, sumOf } from '../regions/harness/metrics.js';
import { mustBeProblem, otherThan } from '../regions/situations.js';

const world = sharedWorld();
/** The row has 5 minutes; sixteen windows show the same. */
const FLAPPING_MS = 80_000;
const QUIET_MS = 20_000;
const UP_MS = 2_000;
const DOWN_MS = 3_000;
/** "At most 10 % more calls than when quiet" (faults, 4). */
const MOST_CALLS = 1.1;
const SLOW_MS = 24_000;
const SLOW = { latencyMs: 400, jitterMs: 40, lossPercent: 5 };
/** Slow and quiet take turns, so that whatever else the machine does is in both. */
const TURN_MS = 4_000;
/** Budgets (contract, "What works when"), and how much longer a busy machine may need. */
const READ_MS = 1_000;
const WRITE_MS = 3_000;
const MARGIN_MS = 2_000;
const LOCAL_EVERY_MS = 10;
const SESSIONS = 60;
const PAUSE_MS = 100;
const TEST_MS = 300_000;

let sessions: Record<string, string[]>;
let users: Record<string, User>;

beforeAll(async () => {
  users = { east: await world.register('east'), west: await world.register('west') };
  sessions = { east: [], west: [] };
  for (const region of world.regions) for (let count = 0; count < SESSIONS; count += 1) sessions[region]!.push(await world.signIn(region, users[region]!));
  await world.settleAll();
});

/** A steady stream of calls that need the other region, in both: what a client asks doesn't change with the link. */
class Steady {
  readonly answers: (Answer & { isWrite: boolean })[] = [];
  private going = true;
  private lanes: Promise<void>[] = [];

  run(): void {
    this.lanes = world.regions.map((region) => this.lane(region, otherThan(world, region)));
  }

  async stop(): Promise<void> {
    this.going = false;
    await Promise.all(this.lanes);
  }

  /** Each session comes up again after it has left the cache; a registration now and then. */
  private async lane(region: string, other: string): Promise<void> {
    const under: Promise<unknown>[] = [];
    for (let turn = 0; this.going; turn += 1) {
      const isWrite = turn % 20 === 0;
      const call = isWrite ? world.api(region, 'POST', '/v1/accounts', { body: { identifier: world.identifier(other), password: 'violet-otter-42' } }) : world.check(region, sessions[other]![turn % SESSIONS]!);
      under.push(call.then((answer) => this.answers.push({ ...answer, isWrite })));
      await new Promise((next) => setTimeout(next, PAUSE_MS));
    }
    await Promise.all(under);
  }
}

/** Every call that the regions have had from each other, heartbeats and catching up included. */
async function callsHad(): Promise<number> {
  const pages = await Promise.all(world.regions.map((region) => world.ops(region, 'GET', '/metrics')));
  return pages.reduce((sum, { text }) => sum + (sumOf(readMetrics(text), 'homeward_request_seconds_count', { listener: 'peer' }) ?? 0), 0);
}

async function callsASecond(during: () => Promise<void>): Promise<number> {
  const [before, startedMs] = [await callsHad(), performance.now()];
  await during();
  return ((await callsHad()) - before) / ((performance.now() - startedMs) / 1_000);
}

function pass(ms: number): Promise<void> {
  return new Promise((over) => setTimeout(over, ms));
}

/** Typed and within its budget; what is local never shows it. */
function mustBeInTime(answer: Answer & { isWrite: boolean }): void {
  expect(answer.ms).toBeLessThan((answer.isWrite ? WRITE_MS : READ_MS) + MARGIN_MS);
  if (answer.status < 300) return;
  if (answer.status === 401) mustBeProblem(answer, 401, 'session-origin-unavailable', { regenerate: true });
  else mustBeProblem(answer, 503, /outcome-unknown/.test(answer.text) ? 'outcome-unknown' : 'home-unavailable');
}

describe('faults 4: a link that flaps, 2 s up and 3 s down', () => {
  it('makes no storm: at most 10 % more calls than when quiet; and replication makes progress in each window, in both channels and directions', { timeout: TEST_MS }, async () => {
    const steady = new Steady();
    steady.run();
    const stuck: string[] = [];
    let windows = 0;
    try {
      const quiet = await callsASecond(() => pass(QUIET_MS));
      const flapping = await callsASecond(async () => {
        const untilMs = performance.now() + FLAPPING_MS;
        for (; performance.now() < untilMs; windows += 1) {
          await world.cut('blackhole');
          await pass(DOWN_MS);
          const before = await arrived();
          await world.heal();
          await pass(UP_MS);
          const after = await arrived();
          for (const [channel, position] of Object.entries(before)) if (after[channel] === position) stuck.push(`window ${windows}: ${channel}`);
        }
      });
      console.log(`flapping: ${quiet.toFixed(1)} calls/s quiet, ${flapping.toFixed(1)} flapping; ${windows} windows, without progress: ${JSON.stringify(stuck)}`);
      expect(flapping).toBeLessThanOrEqual(quiet * MOST_CALLS);
      expect(stuck).toEqual([]);
    } finally {
      await world.heal();
      await steady.stop();
    }
    for (const answer of steady.answers) mustBeInTime(answer);
    await world.mustConverge();
  });

  /** What each region has of the other by now: its heartbeat by database, and how far its accounts were applied. */
  async function arrived(): Promise<Record<string, string>> {
    const seen: Record<string, string> = {};
    for (const reader of world.regions) {
      const writer = otherThan(world, reader);
      // An account each window, so that there is something to apply.
      const made = await world.register(writer);
      const [beat] = await world.sql<{ beat: string }>(reader, `SELECT body->>'beat' AS beat FROM heartbeat WHERE region = $1`, [writer]);
      const [count] = await world.sql<{ count: string }>(reader, `SELECT count(*) AS count FROM account WHERE home = $1 AND id <> $2`, [writer, made.id]);
      seen[`${writer}'s rows in ${reader}`] = beat!.beat;
      seen[`${writer}'s accounts in ${reader}`] = count!.count;
    }
    return seen;
  }
});

describe('faults 5: a link that is slow, 400 ms each way with 5 % lost', () => {
  it('lets no call take longer than its budget, replicates all the same, and changes nothing for what is local', { timeout: TEST_MS }, async () => {
    const local: Record<'slow' | 'quiet', number[]> = { slow: [], quiet: [] };
    const late = await slowAndQuiet(local);
    for (const answer of late) mustBeInTime(answer);
    const [slow, quiet] = [percentile99(local.slow), percentile99(local.quiet)];
    console.log(`slow link: ${late.filter(({ status }) => status < 300).length} of ${late.length} calls that need the other region were answered in full; local calls p99 ${quiet.toFixed(0)} ms quiet, ${slow.toFixed(0)} ms slow, of ${local.quiet.length} and ${local.slow.length}`);
    // The bound of I6 is 1.5 times or 20 ms; a machine that runs other things too blurs it.
    expect(slow).toBeLessThan(Math.max(3 * quiet, quiet + 150));

    await world.control('PUT', '/links/east/west', { state: 'up', ...SLOW });
    const made = await Promise.all(world.regions.map((region) => world.register(region, region, { displayName: 'slowly' })));
    await eventually(async () => {
      for (const region of world.regions) {
        for (const table of ['account WHERE id', 'password WHERE account', 'profile WHERE account']) {
          expect(await world.sql(region, `SELECT 1 FROM ${table} = ANY ($1)`, [made.map(({ id }) => id)])).toHaveLength(made.length);
        }
      }
    }, 60_000);
    await world.control('PUT', '/links/east/west', { latencyMs: 0, jitterMs: 0, lossPercent: 0 });
    await world.mustConverge();
  });

  /** @returns what calls that need the other region were answered while the link was slow */
  async function slowAndQuiet(local: Record<'slow' | 'quiet', number[]>): Promise<Steady['answers']> {
    const steady = new Steady();
    steady.run();
    const untilMs = performance.now() + 2 * SLOW_MS;
    for (let slow = true; performance.now() < untilMs; slow = !slow) {
      await world.control('PUT', '/links/east/west', { state: 'up', ...(slow ? SLOW : { latencyMs: 0, jitterMs: 0, lossPercent: 0 }) });
      const turnOverMs = performance.now() + TURN_MS;
      while (performance.now() < turnOverMs) {
        for (const region of world.regions) {
          const answer = await world.check(region, sessions[region]![0]!);
          expect(answer.status).toBe(200);
          local[slow ? 'slow' : 'quiet'].push(answer.ms);
        }
        await pass(LOCAL_EVERY_MS);
      }
    }
    await steady.stop();
    return steady.answers;
  }
});

function percentile99(all: number[]): number {
  return all.sort((a, b) => a - b)[Math.floor(all.length * 0.99)]!;
}
