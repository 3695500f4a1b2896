import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { partitionOf } from '#kernel/routing';
import { PARTITIONS, STREAMS, type StreamName } from '#kernel/wire';
import { type User, type World, eventually } from './harness/index.js';

export const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** The numbered events that a region keeps for its peers: a table, as SQL. */
export const KEPT_EVENTS = `SELECT stream, partition, first + place - 1 AS number, split_part(event, ' ', 2)::uuid AS key
  FROM outbox_batch, string_to_table(events, E'\\n') WITH ORDINALITY AS line (event, place)`;

/** Registers users of `region` until each of `partitions` has one more account event. */
export async function registerIn(world: World, region: string, partitions: readonly number[]): Promise<User[]> {
  const missing = new Set(partitions);
  const users: User[] = [];
  while (missing.size > 0) {
    const user = await world.register(region);
    users.push(user);
    missing.delete(partitionOf(user.id, PARTITIONS));
  }
  return users;
}

/** Until `reader` holds these accounts. */
export function untilKept(world: World, reader: string, users: readonly Pick<User, 'id'>[], withinMs?: number): Promise<void> {
  return eventually(async () => {
    const rows = await world.sql(reader, 'SELECT id FROM account WHERE id = ANY ($1)', [users.map(({ id }) => id)]);
    expect(rows).toHaveLength(users.length);
  }, withinMs);
}

/** Writes events of every stream in every partition of `region`: accounts, a change of each password, and orders that concern nobody else. @returns the users as they are then */
export async function writeAll(world: World, region: string): Promise<User[]> {
  const users = await registerIn(world, region, ALL);
  const changed: User[] = [];
  for (const user of users) {
    const next = `next-${randomUUID()}`;
    const answer = await world.api(region, 'PUT', '/v1/password', { token: await world.signIn(region, user), body: { current: user.password, next } });
    expect(answer.status).toBe(204);
    changed.push({ ...user, password: next });
  }
  await orderAll(world, region);
  return changed;
}

/** An order in each partition that `region` gives itself: it crosses to every region as all do, and none acts on it. */
async function orderAll(world: World, region: string): Promise<void> {
  for (const partition of ALL) {
    let account = randomUUID();
    while (partitionOf(account, PARTITIONS) !== partition) account = randomUUID();
    const order = JSON.stringify({ kind: 'redeem', to: region, voucher: randomUUID(), account });
    await world.sql(region, `INSERT INTO outbox (stream, partition, version, key, payload) VALUES ('orders', $1, 1, $2, $3)`, [partition, account, order]);
  }
}

/** The highest numbers that a writer has given. */
export async function headsOf(world: World, writer: string): Promise<Record<StreamName, number[]>> {
  return (await world.ops(writer, 'GET', '/ops/status')).body.streams.heads;
}

/** Until a reader has applied every number that the writer has given, by its table. */
export function untilApplied(world: World, reader: string, writer: string, withinMs?: number): Promise<void> {
  return eventually(async () => {
    const rows = await world.sql<{ stream: StreamName; partition: number; applied: string }>(reader, 'SELECT stream, partition, applied FROM stream_applied WHERE region = $1 AND writer = $2', [reader, writer]);
    const heads = await world.sql<{ stream: StreamName; partition: number; head: string }>(writer, 'SELECT stream, partition, head FROM outbox_head');
    for (const { stream, partition, head } of heads) {
      const applied = rows.find((row) => row.stream === stream && row.partition === partition)?.applied ?? '0';
      if (Number(applied) !== Number(head)) throw new Error(`${stream}/${partition}: ${reader} has applied ${applied} of ${head}`);
    }
    expect(heads).toHaveLength(STREAMS.length * PARTITIONS);
  }, withinMs);
}
