import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { KafkaPort } from '#adapters/kafka';
import { slotOf, partitionOf } from '#kernel/routing';
import { createLogger } from '#kernel/telemetry';
import { PARTITIONS, STREAMS } from '#kernel/wire';
import { ALL, untilApplied, untilKept, writeAll } from '../regions/events.js';
import { Cluster } from '../regions/harness/cluster.js';
import { type User, eventually, sharedWorld } from '../regions/harness/index.js';
import { readMetrics, sumOf } from '../regions/harness/metrics.js';
import { secondRelay } from '../regions/harness/second.js';

const world = sharedWorld();
const [east, west] = world.regions as [string, string];
const kafka = new Cluster(world, east);
const PAUSED_MS = 30_000;
const FROZEN_MS = 10_000;
/** How long Kafka is down, and for the second half of it the link too. */
const DOWN_MS = 90_000;
/** More than one send takes at once, so that the paused relay has the rest of them in hand. */
const IN_HAND = 1_000;
const MADE_AT = '2026-01-01T00:00:00.000Z';
/** The server ends a silent owner's session after 5 s, and the other one asks every 0.5 s (libs/adapters/kafka/relay-lock.ts). */
const TAKEN_OVER_MS = 15_000;
/** "The relay resumes within 10 s" (faults, 14), and what a busy machine needs to start a broker's listeners. */
const RESUMED_MS = 20_000;
let stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function status(region: string): Promise<any> {
  return (await world.ops(region, 'GET', '/ops/status')).body;
}

/** Accounts and their events, all of one partition, as another process of the region would write them in one transaction. */
async function writtenByAnother(count: number, partition: number): Promise<Pick<User, 'id'>[]> {
  const made: { id: string; identifier: string; slot: number }[] = [];
  while (made.length < count) {
    const [id, identifier] = [randomUUID(), world.identifier(east)];
    if (partitionOf(id, PARTITIONS) === partition) made.push({ id, identifier, slot: slotOf(identifier) });
  }
  await world.sql(east, `WITH given AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, identifier text, slot smallint)),
    made AS (INSERT INTO account (id, identifier, normalization, slot, home, created_at) SELECT id, identifier, 1, slot, $2, $3::timestamptz FROM given)
    INSERT INTO outbox (stream, partition, version, key, payload)
    SELECT 'accounts', $4, 1, id, jsonb_build_object('id', id, 'identifier', identifier, 'normalization', 1, 'home', $2::text, 'createdAt', $5::text) FROM given`,
  [JSON.stringify(made), east, new Date(MADE_AT), partition, MADE_AT]);
  return made;
}

/** The numbers as they lie in Kafka, by stream and partition. */
async function storedNumbers(): Promise<Map<string, number[]>> {
  const numbers = new Map<string, number[]>();
  for (const stream of STREAMS) {
    const messages = (await kafka.read(`homeward.${stream}`)).sort((a, b) => a.offset - b.offset);
    for (const { partition, value } of messages) {
      const place = `${stream}/${partition}`;
      numbers.set(place, [...(numbers.get(place) ?? []), (JSON.parse(value.toString()) as { number: number }).number]);
    }
  }
  return numbers;
}

async function mustBeThere(users: readonly Pick<User, 'id'>[]): Promise<void> {
  await untilApplied(world, west, east, 60_000);
  await untilKept(world, west, users);
  await world.mustConverge();
  for (const region of world.regions) expect(await status(region)).toMatchObject({ deadLetters: 0, conflicts: 0 });
}

describe('faults 21: a relay that was paused for 30 s while another took over', () => {
  it('yields when it wakes, and what it sends late has no effect', async () => {
    await world.settleAll();
    const second = await secondRelay(world, east);
    stops.push(second.stop);
    await world.part(east, 'kafka', { state: 'frozen' });
    const users = await writtenByAnother(IN_HAND, 0);
    await eventually(async () => expect(await world.sql(east, 'SELECT 1 FROM outbox')).toEqual([]));
    const pausedAtMs = performance.now();
    await world.part(east, 'api', { state: 'frozen' });
    await world.part(east, 'kafka', { state: 'up' });
    await eventually(() => expect(second.relay.status().owner).toBe(true), TAKEN_OVER_MS);
    users.push(...(await writtenByAnother(10, 0)));
    await untilKept(world, west, users, 60_000);
    await new Promise((over) => setTimeout(over, PAUSED_MS - (performance.now() - pausedAtMs)));
    const inHand = (await kafka.read('homeward.accounts')).filter(({ partition }) => partition === 0).slice(0, IN_HAND);
    await world.part(east, 'api', { state: 'up' });
    await eventually(async () => expect((await status(east)).streams.owner).toBe(false));
    // Whether it still sends any of it when it wakes is a race; so all of it comes once more, behind what is newer.
    await kafka.produce('homeward.accounts', 0, inHand.map(({ value }) => value));
    expect(second.relay.status().owner).toBe(true);
    expect((await status(east)).streams.owner).toBe(false);
    users.push(...(await writeAll(world, east)));
    await mustBeThere(users);
    await second.stop();
    stops = [];
    await eventually(async () => expect((await status(east)).streams.owner).toBe(true), TAKEN_OVER_MS);
    await mustBeThere(await writeAll(world, east));
  });
});

describe('faults 13: a broker that is frozen for 10 s in the middle of sends', () => {
  it('loses nothing of what the port says is stored, though its late answers come', async () => {
    const topic = `homeward-test.${randomUUID()}`;
    await kafka.createTopic(topic);
    const port = new KafkaPort({ region: east, brokers: [`127.0.0.1:${world.ports(east).kafka}`], replication: 1 }, createLogger({ region: east, level: 'silent' }));
    stops.push(() => port.stop());
    let acknowledged = 0;
    let failures = 0;
    const end = new AbortController();
    // As the relay does it: what was not acknowledged is sent again, and by then with what has come after it.
    const sending = (async () => {
      for (let most = 1; !end.signal.aborted; ) {
        const batch = Array.from({ length: most }, (_, index) => ({ key: null, value: Buffer.from(String(acknowledged + 1 + index)) }));
        try {
          await port.produce(topic, 0, batch);
          acknowledged += batch.length;
          most = 1;
        } catch {
          failures += 1;
          most += 1;
        }
      }
    })();
    const untilMore = async (count: number): Promise<void> => {
      const wanted = acknowledged + count;
      await eventually(() => expect(acknowledged).toBeGreaterThanOrEqual(wanted), RESUMED_MS);
    };
    for (const ms of [FROZEN_MS, FROZEN_MS / 2]) {
      await untilMore(20);
      await world.part(east, 'kafka', { state: 'frozen' });
      await new Promise((thaw) => setTimeout(thaw, ms));
      await world.part(east, 'kafka', { state: 'up' });
      await untilMore(20);
    }
    end.abort();
    await sending;
    expect(failures).toBeGreaterThan(0);
    const numbers = (await kafka.read(topic)).sort((a, b) => a.offset - b.offset).map(({ value }) => Number(value.toString()));
    const first = numbers.filter((number, index) => numbers.indexOf(number) === index);
    expect(first).toEqual(Array.from({ length: acknowledged }, (_, index) => index + 1));
    await kafka.deleteTopics([topic]);
  });
});

describe('faults 15: the Kafka of one region down for a minute and a half, for the second half of it the link too', () => {
  it('lets everything go on there, the outbox says how old it is, and drains in order when both are back', async () => {
    await world.settleAll();
    const { sent } = (await status(east)).streams;
    await world.part(east, 'kafka', { state: 'down', signal: 'SIGKILL' });
    const downAtMs = performance.now();
    const users: User[] = await writeAll(world, east);
    // Without the link's help Kafka is all that is missing, and nobody waits for it.
    await untilApplied(world, west, east);
    await new Promise((half) => setTimeout(half, DOWN_MS / 2 - (performance.now() - downAtMs)));
    await world.cut('blackhole');
    const { heads: atCut } = (await status(east)).streams;
    users.push(...(await writeAll(world, east)));
    await new Promise((over) => setTimeout(over, DOWN_MS - (performance.now() - downAtMs)));
    expect((await world.ops(east, 'GET', '/health/ready')).status).toBe(200);
    users.push(...(await writeAll(world, east)));
    const oldest = sumOf(readMetrics((await world.ops(east, 'GET', '/metrics')).text), 'homeward_outbox_oldest_seconds')!;
    expect(oldest).toBeGreaterThan(DOWN_MS / 2_000 - 30);
    expect((await status(east)).outbox.depth).toBeGreaterThan(users.length / 2);
    await world.part(east, 'kafka', { state: 'up' });
    const heads = await eventually(async () => {
      const now = (await status(east)).streams;
      expect(now).toMatchObject({ sent: now.heads, failing: [] });
      return now.heads;
    }, RESUMED_MS);
    await world.heal();
    await mustBeThere(users);
    const stored = await storedNumbers();
    for (const stream of STREAMS) for (const partition of ALL) {
      const since = [...new Set(stored.get(`${stream}/${partition}`))].filter((number) => number > sent[stream][partition]);
      expect(since).toEqual([...since].sort((a, b) => a - b));
      // What was written before the cut reached the peer by number; what was written after it had no other way than Kafka's.
      const [from, to] = [atCut[stream][partition], heads[stream][partition]];
      expect(to).toBeGreaterThan(from);
      expect(since.filter((number) => number > from)).toEqual(Array.from({ length: to - from }, (_, index) => from + 1 + index));
    }
  });
});
