import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type User, eventually, throughout } from './harness/index.js';
import { readMetrics, sumOf } from './harness/metrics.js';
import { fileWorld } from './situations.js';

const world = fileWorld();
/** The reader says within this what stopped it (faults, 24 and 25), and the time that a busy machine takes to look. */
const ALARM_MS = 10_000 + 2_000;
/** Longer than the loop that compares takes from one look to the next. */
const UNSHAKEN_MS = 4_000;
/** What a migration of the future would add. */
const ADD = 'ALTER TABLE profile ADD COLUMN colour text';
const DROP = 'ALTER TABLE profile DROP COLUMN IF EXISTS colour';

let user: User;
let tokens: Record<string, string>;

beforeAll(async () => {
  user = await world.register('east', 'east', { displayName: 'Ada' });
  await world.settleAll();
  tokens = { east: await world.signIn('east', user), west: await world.signIn('west', user) };
});
afterAll(async () => {
  // The writer first: what it still sends of a column that is gone here would stop the reader.
  for (const region of world.regions) await world.sql(region, DROP);
});

async function replication(reader: string, writer: string): Promise<any> {
  return (await world.ops(reader, 'GET', '/ops/status')).body.peers[writer].replication;
}

async function alarm(region: string, peer: string): Promise<number | undefined> {
  return sumOf(readMetrics((await world.ops(region, 'GET', '/metrics')).text), 'homeward_subscription_alarm', { peer });
}

/** An edit in a region, and a value of the new column beside it, as its next version would write. */
async function edit(region: string, bio: string, colour?: string): Promise<void> {
  expect((await world.api(region, 'PATCH', '/v1/profile', { token: tokens[region]!, body: { bio } })).status).toBe(200);
  if (colour !== undefined) await world.sql(region, 'UPDATE profile SET colour = $2, version = version + 1 WHERE region = $1 AND account = $3', [region, colour, user.id]);
}

describe('faults 24: a migration applied on one side only', () => {
  it('by the writer first, pauses what it sends with the missing column named, an alarm and what mends it; everything else goes on', async () => {
    await world.sql('east', ADD);
    await edit('east', 'one', 'violet');
    const paused = await eventually(async () => {
      const now = await replication('west', 'east');
      expect(now).toMatchObject({ state: 'paused', cause: 'schema-differs', alarm: true, detail: expect.stringContaining('profile.colour'), mend: expect.stringContaining('same version') });
      return now;
    }, ALARM_MS);
    expect(paused.detail).toContain('missing here');
    expect(await alarm('west', 'east')).toBe(1);

    // The other direction, the other channel and both regions' users.
    expect(await replication('east', 'west')).toMatchObject({ state: 'streaming' });
    await edit('west', 'two');
    await eventually(async () => expect(await world.sql('east', `SELECT 1 FROM profile WHERE region = 'west' AND account = $1`, [user.id])).toHaveLength(1));
    const late = await world.register('east');
    await eventually(async () => expect(await world.sql('west', 'SELECT 1 FROM account WHERE id = $1', [late.id])).toHaveLength(1));
    expect(await world.trySignIn('west', late)).toMatchObject({ status: 201, headers: { 'homeward-read': 'second' } });
    expect((await world.api('west', 'GET', '/v1/profile', { token: tokens['west']! })).status).toBe(200);
  });

  it('and goes on by itself once the other side has it: every row is there, those of the time between with what they say in the new column', async () => {
    const { rebuilds } = await replication('west', 'east');
    await world.sql('west', ADD);
    await eventually(async () => expect(await replication('west', 'east')).toMatchObject({ state: 'streaming', alarm: false }));
    await world.mustConverge();
    expect(await world.sql('west', `SELECT colour FROM profile WHERE region = 'east' AND account = $1`, [user.id])).toEqual([{ colour: 'violet' }]);
    expect(await alarm('west', 'east')).toBe(0);
    expect((await replication('west', 'east')).rebuilds).toBe(rebuilds);
  });

  it('by the reader first, pauses nothing', async () => {
    for (const region of ['east', 'west']) await world.sql(region, DROP);
    await world.mustConverge();
    await world.sql('west', ADD);
    await edit('east', 'three');
    await throughout(async () => {
      expect((await replication('west', 'east')).state).toBe('streaming');
      expect((await replication('east', 'west')).state).toBe('streaming');
    }, UNSHAKEN_MS);
    await eventually(async () => expect(await world.sql('west', `SELECT fields->'bio'->>'v' AS bio FROM profile WHERE region = 'east' AND account = $1`, [user.id])).toEqual([{ bio: 'three' }]));
    await world.sql('east', ADD);
    await edit('east', 'four', 'blue');
    await world.mustConverge();
    expect(await world.sql('west', `SELECT colour FROM profile WHERE region = 'east' AND account = $1`, [user.id])).toEqual([{ colour: 'blue' }]);
  });
});
