import { beforeAll, describe, expect, it } from 'vitest';
import { PARTITIONS, STREAMS } from '#kernel/wire';
import { ALL, KEPT_EVENTS, headsOf, registerIn, untilApplied, untilKept, writeAll } from './events.js';
import { Cluster } from './harness/cluster.js';
import { type User, eventually, sharedWorld } from './harness/index.js';

const world = sharedWorld();
const [east, west] = world.regions as [string, string];
const TOPICS = STREAMS.map((stream) => `homeward.${stream}`);
/** A reader that was thrown off finds its way back within this, on a busy machine too. */
const FOUND_MS = 40_000;
let kafka: Cluster;

beforeAll(() => {
  kafka = new Cluster(world, east);
});

async function status(region: string): Promise<any> {
  return (await world.ops(region, 'GET', '/ops/status')).body;
}

/** Until everything that the writer has numbered lies in its Kafka, or would if its topics had not been lost. */
function untilSent(): Promise<void> {
  return eventually(async () => {
    const { heads, sent } = (await status(east)).streams;
    expect(sent).toEqual(heads);
  }, FOUND_MS);
}

/** Until the service has made so many topics anew since `before`, and says so. */
function untilMadeAnew(before: number): Promise<void> {
  return eventually(async () => expect((await status(east)).parts.kafka).toMatchObject({ topicsMade: before + TOPICS.length, topicsReady: true }), FOUND_MS);
}

/** The users are in the other region with the passwords they have now, and with no other; nothing was set aside on the way. */
async function mustBeThere(users: readonly User[]): Promise<void> {
  await untilApplied(world, west, east, FOUND_MS);
  await untilKept(world, west, users);
  await world.mustConverge();
  for (const user of users.slice(0, 2)) expect(await world.signIn(west, user)).toBeTruthy();
  const rows = await world.sql<{ epoch: string }>(west, 'SELECT epoch FROM credential_epoch WHERE account = ANY ($1)', [users.map(({ id }) => id)]);
  expect(rows.map(({ epoch }) => Number(epoch))).toEqual(users.map(() => 2));
  expect((await status(west)).deadLetters).toBe(0);
}

/** What is written now comes over Kafka again: it lies there, and the reader has gone past it. */
async function mustFlowAgain(): Promise<void> {
  const users = await writeAll(world, east);
  await mustBeThere(users);
  await eventually(async () => {
    for (const stream of STREAMS) {
      const offsets = await kafka.offsets(`homeward.${stream}`);
      const rows = await world.sql<{ partition: number; offset: string }>(west, 'SELECT partition, kafka_offset AS offset FROM stream_applied WHERE region = $1 AND writer = $2 AND stream = $3', [west, east, stream]);
      expect(offsets.filter(({ low, high }) => high > low)).toHaveLength(PARTITIONS);
      for (const { partition, high } of offsets) expect(Number(rows.find((row) => row.partition === partition)!.offset)).toBe(high - 1);
    }
  }, FOUND_MS);
}

describe('faults 7: with everything gone from Kafka that was written during a cut', () => {
  it('each stream is pulled by number, and flows again', async () => {
    await world.settleAll();
    const { pulled } = (await status(west)).peers.east.events;
    await world.cut('blackhole');
    const users = await writeAll(world, east);
    await untilSent();
    for (const topic of TOPICS) await kafka.deleteRecords(topic);
    await world.heal();
    await mustBeThere(users);
    expect((await status(west)).peers.east.events.pulled).toBeGreaterThanOrEqual(pulled + 2 * users.length);
    await mustFlowAgain();
  });
});

describe("faults 17: the writer's topics deleted", () => {
  it('while the peer reads them are made anew, said to be, and nothing is missing; then each stream flows again', async () => {
    const before = await writeAll(world, east);
    await world.settleAll();
    const { topicsMade } = (await status(east)).parts.kafka;
    await kafka.deleteTopics(TOPICS);
    const users = await writeAll(world, east);
    await untilMadeAnew(topicsMade);
    await mustBeThere([...before, ...users]);
    await mustFlowAgain();
  });

  it('before the peer has read their tail, and filled past its place since, leave nothing missing; then each stream flows again', async () => {
    await world.settleAll();
    const { topicsMade } = (await status(east)).parts.kafka;
    const { pulled } = (await status(west)).peers.east.events;
    await world.cut('refuse');
    const users = await writeAll(world, east);
    await untilSent();
    await kafka.deleteTopics(TOPICS);
    await untilMadeAnew(topicsMade);
    users.push(...(await writeAll(world, east)));
    await untilSent();
    // Longer than it was, so that the reader's place lies within it: only the numbers tell that it is another topic.
    for (const topic of TOPICS) {
      for (const { partition, high } of await kafka.offsets(topic)) {
        const [row] = await world.sql<{ offset: string }>(west, 'SELECT kafka_offset AS offset FROM stream_applied WHERE region = $1 AND writer = $2 AND stream = $3 AND partition = $4', [west, east, topic.slice('homeward.'.length), partition]);
        const stored = (await kafka.read(topic)).find((message) => message.partition === partition)!;
        for (let at = high; at < Number(row!.offset) + 2; at += 1) await kafka.produce(topic, partition, [stored.value]);
      }
    }
    await world.heal();
    await mustBeThere(users);
    expect((await status(west)).peers.east.events.pulled).toBeGreaterThan(pulled);
    await mustFlowAgain();
  });
});

describe("a peer's Kafka that lacks a topic, as one of the version before does", () => {
  const ORDERS = 'homeward.orders';
  const readOf = async (): Promise<any> => (await status(west)).peers.east.kafka;

  it('is read for the topics that it has, which is said, and for the other one as soon as that is there', async () => {
    await world.settleAll();
    expect((await readOf()).missingTopics).toEqual([]);
    await world.cut('refuse');
    const users = await registerIn(world, east, ALL);
    await untilSent();
    // Only the service makes a topic anew, and only it answers a pull: what is there afterwards came over Kafka.
    await world.part(east, 'api', { state: 'down' });
    await kafka.deleteTopics([ORDERS]);
    await world.heal();
    await untilKept(world, west, users, FOUND_MS);
    await eventually(async () => expect(await readOf()).toMatchObject({ connected: true, missingTopics: [ORDERS] }), FOUND_MS);
    await world.part(east, 'api', { state: 'up' });
    await eventually(async () => expect(await readOf()).toMatchObject({ connected: true, missingTopics: [] }), FOUND_MS);
    await mustFlowAgain();
  });
});

describe('faults 7, 16: with the position lost and its events gone from Kafka and from the outbox', () => {
  it('each stream is made good by copying the state that its events led to, and that is said', async () => {
    const users = await writeAll(world, east);
    await world.settleAll();
    await eventually(async () => expect(await world.sql(east, KEPT_EVENTS)).toEqual([]));
    await world.part(west, 'api', { state: 'down' });
    for (const topic of TOPICS) await kafka.deleteRecords(topic);
    const ids = users.map(({ id }) => id);
    await world.sql(west, 'DELETE FROM account WHERE id = ANY ($1)', [ids]);
    await world.sql(west, 'DELETE FROM credential_epoch WHERE account = ANY ($1)', [ids]);
    await world.sql(west, 'UPDATE stream_applied SET applied = 0, kafka_offset = -1 WHERE region = $1 AND writer = $2', [west, east]);
    await world.part(west, 'api', { state: 'up' });
    await mustBeThere(users);
    const written = Object.values(await headsOf(world, east)).flat().filter((head) => head > 0);
    expect((await status(west)).peers.east.events.resynced).toBe(written.length);
    await mustFlowAgain();
  });
});
