import { describe, expect, it } from 'vitest';
import { type User, eventually, sharedWorld } from '../regions/harness/index.js';

const world = sharedWorld();
const [east, west] = world.regions as [string, string];
/** Published tables of which nothing is deleted here. */
const KEPT = ['password', 'profile', 'signout'];
/** Small enough to be passed in seconds; a server keeps WAL in segments of 16 MiB. */
const LIMIT = '32MB';
const FILLER_MIB = 96;
const REBUILT_MS = 60_000;

async function replication(reader: string, writer: string): Promise<any> {
  return (await world.ops(reader, 'GET', '/ops/status')).body.peers[writer].replication;
}

/** What a region's server keeps for a peer that is away; it learns it at once. */
async function limitSlots(region: string, size: string | undefined): Promise<void> {
  await world.sql(region, size === undefined ? 'ALTER SYSTEM RESET max_slot_wal_keep_size' : `ALTER SYSTEM SET max_slot_wal_keep_size = '${size}'`);
  await world.sql(region, 'SELECT pg_reload_conf()');
}

/** Writes WAL that belongs to no table, as a busy server does, until its slots have fallen behind. */
async function passLimit(region: string): Promise<void> {
  for (let mib = 0; mib < FILLER_MIB; mib += 1) await world.sql(region, `SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1048576))`);
  await eventually(async () => {
    await world.sql(region, 'CHECKPOINT');
    expect(await world.sql(region, `SELECT wal_status FROM pg_replication_slots WHERE slot_name LIKE 'homeward_%'`)).toEqual([{ wal_status: 'lost' }]);
  });
}

/** A user of `home` with a row of it in every published table. */
async function settled(home: string): Promise<User & { token: string }> {
  const user = await world.register(home, home, { displayName: 'Ada' });
  const [one, other] = [await world.signIn(home, user), await world.signIn(home, user)];
  expect((await world.api(home, 'DELETE', '/v1/sessions/current', { token: one })).status).toBe(204);
  expect((await world.api(home, 'DELETE', '/v1/sessions', { token: other })).status).toBe(204);
  return { ...user, token: await world.signIn(home, user) };
}

/** How many rows of a writer a reader has. */
async function rowsOf(reader: string, writer: string): Promise<Record<string, number>> {
  const [row] = await world.sql<Record<string, number>>(reader, `SELECT ${KEPT.map((table) => `(SELECT count(*)::int FROM ${table} WHERE region = '${writer}') AS ${table}`).join(', ')}`);
  return row!;
}

/** Looks at a writer's rows in a reader all the time. @returns the fewest seen of each table, beginning with now */
async function fewest(signal: AbortSignal, reader: string, writer: string): Promise<Record<string, number>> {
  const least = await rowsOf(reader, writer);
  while (!signal.aborted) {
    for (const [table, count] of Object.entries(await rowsOf(reader, writer))) least[table] = Math.min(count, least[table]!);
    await new Promise((again) => setTimeout(again, 5));
  }
  return least;
}

/** Edits profiles in every region all the time. @returns what each user's name must be at the end */
async function editing(signal: AbortSignal, users: readonly (User & { token: string })[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (let turn = 0; !signal.aborted; turn += 1) {
    const user = users[turn % users.length]!;
    const answer = await world.api(user.home, 'PATCH', '/v1/profile', { token: user.token, body: { displayName: `turn ${turn}` } });
    expect(answer.status).toBe(200);
    names.set(user.id, `turn ${turn}`);
    await new Promise((next) => setTimeout(next, 50));
  }
  return names;
}

describe('faults 8, 40: a cut longer than the limit of the slots of both regions, rows changed and deleted meanwhile', () => {
  it('both are rebuilt by themselves, at once, equal, while rows go on changing, and no reader ever sees fewer rows than are to stay', async () => {
    const users = [];
    for (const home of [east, west, east, west]) users.push(await settled(home));
    await world.settleAll();
    const before = { [east]: await replication(west, east), [west]: await replication(east, west) };
    for (const region of world.regions) await limitSlots(region, LIMIT);
    const end = new AbortController();
    try {
      await world.cut('blackhole');
      await world.untilCutSeen();
      // What goes at its owner and what comes there: the copies must lose the one and gain the other.
      for (const region of world.regions) await world.sql(region, 'DELETE FROM ended_session WHERE region = $1', [region]);
      const late = [await settled(east), await settled(west)];
      for (const region of world.regions) {
        await passLimit(region);
        await eventually(async () => expect((await replication(region, region === east ? west : east)).slot).toMatchObject({ walStatus: 'lost', alarm: true }));
      }
      const known = [await rowsOf(west, east), await rowsOf(east, west)];
      const watched = [fewest(end.signal, west, east), fewest(end.signal, east, west)];
      const names = editing(end.signal, users);
      await world.heal();
      for (const [reader, writer] of [[west, east], [east, west]] as const) {
        await eventually(async () => expect(await replication(reader, writer)).toMatchObject({ state: 'streaming', rebuilds: before[writer].rebuilds + 1, lastRebuild: { reason: 'slot-lost', at: expect.any(String) } }), REBUILT_MS);
      }
      end.abort();
      expect(await Promise.all(watched)).toEqual(known);
      await world.mustConverge();
      for (const [id, name] of await names) {
        const user = users.find((one) => one.id === id)!;
        const reader = user.home === east ? west : east;
        expect((await world.api(reader, 'GET', '/v1/profile', { token: await world.signIn(reader, user) })).body.fields).toEqual({ displayName: name });
      }
      for (const user of late) for (const region of world.regions) expect(await world.signIn(region, user)).toBeTruthy();
      for (const [reader, writer] of [[west, east], [east, west]] as const) await eventually(async () => expect((await replication(reader, writer)).alarm).toBe(false));
    } finally {
      end.abort();
      for (const region of world.regions) await limitSlots(region, undefined);
    }
  });
});
