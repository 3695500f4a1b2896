import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { OutboxPage } from '#adapters/kafka';
import { PARTITIONS, STREAMS, type StreamName } from '#kernel/wire';
import { KEPT_EVENTS, headsOf, untilApplied, untilKept, writeAll } from './events.js';
import { Cluster } from './harness/cluster.js';
import { type User, eventually, sharedWorld } from './harness/index.js';
import { secondApplier, secondReader, secondRelay } from './harness/second.js';
import { holding } from './situations.js';

const world = sharedWorld();
const [east, west] = world.regions as [string, string];
const kafka = new Cluster(world, east);
/** Who took over has the work within this: the connection of a killed process is closed at once. */
const TAKEN_OVER_MS = 10_000;
let stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function status(region: string): Promise<any> {
  return (await world.ops(region, 'GET', '/ops/status')).body;
}

/** How often each number lies in Kafka, by stream and partition, and where it lies first. */
async function stored(stream: StreamName): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (const { partition, value } of await kafka.read(`homeward.${stream}`)) {
    const { number, writer } = JSON.parse(value.toString()) as { number: number; writer: string };
    const place = `${writer}/${stream}/${partition}/${number}`;
    times.set(place, (times.get(place) ?? 0) + 1);
  }
  return times;
}

/** The users' events are in the other region, and had their effect once. */
async function mustBeThereOnce(users: readonly User[]): Promise<void> {
  await untilApplied(world, west, east, 30_000);
  await untilKept(world, west, users);
  await world.mustConverge();
  expect(await status(west)).toMatchObject({ deadLetters: 0, conflicts: 0 });
  expect(await status(east)).toMatchObject({ deadLetters: 0, conflicts: 0 });
}

describe('two relays at once', () => {
  it('have one owner: each event is sent once, whoever wrote it', async () => {
    for (const stream of STREAMS) await kafka.deleteRecords(`homeward.${stream}`);
    const second = await secondRelay(world, east);
    stops.push(second.stop);
    const users = await writeAll(world, east);
    expect([(await status(east)).streams.owner, second.relay.status().owner]).toEqual([true, false]);
    await mustBeThereOnce(users);
    for (const stream of STREAMS) {
      const times = await stored(stream);
      expect(times.size).toBeGreaterThanOrEqual(PARTITIONS);
      expect([...times].filter(([, count]) => count !== 1)).toEqual([]);
    }
    // The one that does not own it says the same heads in heartbeats of its process.
    const heads = await headsOf(world, east);
    await eventually(() => expect(second.relay.heads()).toEqual(heads));
  });

  it('hand over when the process of the owner is killed: what it had not sent is sent by the other', async () => {
    const second = await secondRelay(world, east);
    stops.push(second.stop);
    await world.part(east, 'kafka', { state: 'down', signal: 'SIGKILL' });
    await world.cut('refuse');
    const users = await writeAll(world, east);
    await world.part(east, 'api', { state: 'down', signal: 'SIGKILL' });
    await eventually(() => expect(second.relay.status().owner).toBe(true), TAKEN_OVER_MS);
    await world.part(east, 'kafka', { state: 'up' });
    await eventually(() => expect(second.relay.status().sent).toEqual(second.relay.heads()), 30_000);
    await world.heal();
    await untilKept(world, west, users, 30_000);
    await world.part(east, 'api', { state: 'up' });
    expect((await status(east)).streams.owner).toBe(false);
    await second.stop();
    stops = [];
    await eventually(async () => expect((await status(east)).streams.owner).toBe(true), TAKEN_OVER_MS);
    await mustBeThereOnce([...users, ...(await writeAll(world, east))]);
  });
});

describe('events that were numbered together', () => {
  /** Enough to be compressed. */
  const TOGETHER = 40;

  it('lie in Kafka in their order, and are answered to a peer from any of them on, as many as it asks for, until it has confirmed the last', async () => {
    await world.settleAll();
    await world.cut('refuse');
    const second = await secondRelay(world, east);
    stops.push(second.stop);
    try {
      const [before] = (await headsOf(world, east)).orders;
      const accounts = Array.from({ length: TOGETHER }, () => randomUUID());
      await world.sql(east, `INSERT INTO outbox (stream, partition, version, key, payload)
        SELECT 'orders', 0, 1, account, jsonb_build_object('kind', 'redeem', 'to', $2::text, 'voucher', account, 'account', account, 'note', E'a line\nand another') FROM unnest($1::uuid[]) WITH ORDINALITY AS given (account, place) ORDER BY place`, [accounts, east]);
      await eventually(async () => expect((await headsOf(world, east)).orders[0]).toBe(before! + TOGETHER));
      expect(await world.sql(east, `SELECT last - first + 1 AS events FROM outbox_batch WHERE stream = 'orders' AND last = $1`, [before! + TOGETHER])).toEqual([{ events: String(TOGETHER) }]);
      for (let skipped = 0; skipped < TOGETHER; skipped += 1) {
        for (const limit of [1, 5, TOGETHER, 1_000]) {
          const { items, head } = await second.relay.pages.page('orders', 0, before! + 1 + skipped, limit);
          const expected = accounts.slice(skipped, skipped + limit).map((key, index) => ({ number: before! + 1 + skipped + index, key, payload: expect.objectContaining({ account: key, note: 'a line\nand another' }) }));
          expect(items.map((item) => JSON.parse(item))).toMatchObject(expected);
          expect(head).toBe(before! + TOGETHER);
        }
      }
      await eventually(async () => {
        const stored = (await kafka.read('homeward.orders')).filter(({ partition }) => partition === 0).map(({ value }) => JSON.parse(value.toString()));
        expect(stored.filter(({ number }) => number > before!).map(({ key }) => key)).toEqual(accounts);
      });
    } finally {
      await world.heal();
    }
    await world.settleAll();
    await eventually(async () => expect(await world.sql(east, KEPT_EVENTS)).toEqual([]));
    await world.sql(west, `DELETE FROM dead_letter WHERE stream = 'orders'`);
  });
});

describe('faults 20: the relay killed between the acknowledgement of Kafka and its own mark', () => {
  it('sends what it had not marked again, and it has no effect', async () => {
    await world.settleAll();
    // Nobody confirms anything meanwhile, so what is not marked must be sent again.
    await world.cut('hold');
    await world.part(east, 'kafka', { state: 'frozen' });
    const users = await writeAll(world, east);
    const numbered = `SELECT stream, partition, number FROM (${KEPT_EVENTS}) AS kept WHERE key = ANY ($1::uuid[])`;
    const sent = await eventually(async () => {
      const rows = await world.sql<{ stream: string; partition: number; number: string }>(east, numbered, [users.map(({ id }) => id)]);
      expect(rows).toHaveLength(2 * users.length);
      return rows;
    });
    const release = await holding(world, east, 'SELECT 1 FROM outbox_head FOR UPDATE');
    try {
      await world.part(east, 'kafka', { state: 'up' });
      await eventually(async () => {
        const times = new Map([...(await stored('accounts')), ...(await stored('epochs'))]);
        for (const { stream, partition, number } of sent) expect(times.get(`${east}/${stream}/${partition}/${number}`)).toBeGreaterThanOrEqual(1);
      });
      const unmarked = await world.sql(east, 'SELECT 1 FROM outbox_head WHERE sent < head');
      expect(unmarked.length).toBeGreaterThanOrEqual(PARTITIONS);
      await world.part(east, 'api', { state: 'down', signal: 'SIGKILL' });
      // What the server still waits for in its name would else be done when the lock goes.
      await world.sql(east, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'homeward-${east}' AND wait_event_type = 'Lock'`);
    } finally {
      await release();
    }
    await world.part(east, 'api', { state: 'up' });
    await eventually(async () => {
      const times = new Map([...(await stored('accounts')), ...(await stored('epochs'))]);
      for (const { stream, partition, number } of sent) expect(times.get(`${east}/${stream}/${partition}/${number}`)).toBeGreaterThanOrEqual(2);
    });
    await world.heal();
    await mustBeThereOnce(users);
  });
});

describe('events that Kafka is late with', () => {
  it('are pulled by number until it brings some of them, and no longer', async () => {
    const [writer, account, head] = ['ghost', randomUUID(), 100];
    const epochs = (from: number, through: number): string[] =>
      Array.from({ length: through - from + 1 }, (_, index) => JSON.stringify({ v: 1, writer, stream: 'epochs', partition: 0, number: from + index, key: account, payload: { account, epoch: from + index } }));
    const asked: number[] = [];
    const pull = async (_writer: string, _stream: StreamName, _partition: number, from: number): Promise<OutboxPage> => {
      asked.push(from);
      if (asked.length === 2) await late.applier.feed(writer, 'epochs', 0, epochs(from, from + 9).map((bytes, offset) => ({ bytes, offset })));
      return { items: epochs(from, from + 9), head, trimmedBelow: 1 };
    };
    const late = await secondApplier(world, west, writer, { pull, resync: () => Promise.reject(new Error('nothing is gone')) });
    stops.push(late.stop);
    await late.applier.load(writer);
    try {
      await eventually(() => {
        late.applier.noticeHeads(writer, { accounts: [0, 0, 0, 0], epochs: [head, 0, 0, 0], orders: [0, 0, 0, 0] });
        expect(asked).not.toEqual([]);
      });
      // Joins what is under way, and so ends with it.
      await late.applier.fillGap(writer, 'epochs', 0, 21);
      expect(asked).toEqual([1, 11]);
      expect(late.applier.applied(writer).epochs[0]).toBe(20);
    } finally {
      for (const stop of stops.splice(0)) await stop();
      await world.sql(west, 'DELETE FROM stream_applied WHERE region = $1 AND writer = $2', [west, writer]);
      await world.sql(west, 'DELETE FROM credential_epoch WHERE account = $1', [account]);
    }
    await world.mustConverge();
  });
});

describe('faults 19: two consumers at once', () => {
  it('apply each event once, and the position never goes back, though everything is delivered again and again', async () => {
    const second = await secondReader(world, west, east);
    stops.push(second.stop);
    await eventually(() => expect(second.reader.status().connected).toBe(true), 30_000);
    const watching = new AbortController();
    const position = `SELECT stream || '/' || partition AS place, applied::int FROM stream_applied WHERE region = '${west}' AND writer = '${east}'`;
    const watch = neverGoingBack(watching.signal, async () => (await world.sql<{ place: string; applied: number }>(west, position)));
    const users: User[] = [];
    for (let round = 0; round < 2; round += 1) {
      users.push(...(await writeAll(world, east)));
      for (const stream of STREAMS) {
        const all = await kafka.read(`homeward.${stream}`);
        for (let partition = 0; partition < PARTITIONS; partition += 1) {
          await kafka.produce(`homeward.${stream}`, partition, all.filter((message) => message.partition === partition).map(({ value }) => value));
        }
      }
    }
    await untilApplied(world, west, east, 30_000);
    const heads = await headsOf(world, east);
    await eventually(() => expect(second.applier.applied(east)).toEqual(heads));
    watching.abort();
    expect(await watch).toEqual([]);
    await mustBeThereOnce(users);
    for (const stream of STREAMS) await kafka.deleteRecords(`homeward.${stream}`);
  });

  it('never go back behind each other: what one of them has in memory of the position counts for nothing where the table says otherwise', async () => {
    const [writer, account] = ['ghost', randomUUID()];
    const [ahead, behind] = [await secondApplier(world, west, writer), await secondApplier(world, west, writer)];
    stops.push(ahead.stop, behind.stop);
    await Promise.all([ahead.applier.load(writer), behind.applier.load(writer)]);
    const epochs = (numbers: number[]) => numbers.map((number) => ({ bytes: JSON.stringify({ v: 1, writer, stream: 'epochs', partition: 0, number, key: account, payload: { account, epoch: number } }), offset: number }));
    const position = async (): Promise<number[]> => (await world.sql<{ applied: string }>(west, `SELECT applied FROM stream_applied WHERE region = $1 AND writer = $2 AND stream = 'epochs' AND partition = 0`, [west, writer])).map(({ applied }) => Number(applied));
    try {
      expect(await ahead.applier.feed(writer, 'epochs', 0, epochs([1, 2, 3, 4, 5]))).toBeUndefined();
      expect(await behind.applier.feed(writer, 'epochs', 0, epochs([1, 2, 3]))).toBeUndefined();
      expect(await position()).toEqual([5]);
      expect(await behind.applier.feed(writer, 'epochs', 0, epochs([4, 5, 6]))).toBeUndefined();
      expect(await ahead.applier.feed(writer, 'epochs', 0, epochs([8]))).toBe(8);
      expect(await position()).toEqual([6]);
      expect(await world.sql(west, 'SELECT epoch::int FROM credential_epoch WHERE account = $1', [account])).toEqual([{ epoch: 6 }]);
    } finally {
      for (const stop of stops.splice(0)) await stop();
      await world.sql(west, 'DELETE FROM stream_applied WHERE region = $1 AND writer = $2', [west, writer]);
      await world.sql(west, 'DELETE FROM credential_epoch WHERE account = $1', [account]);
    }
    await world.mustConverge();
  });

  /** Looks all the time. @returns what went back */
  async function neverGoingBack(signal: AbortSignal, look: () => Promise<{ place: string; applied: number }[]>): Promise<string[]> {
    const highest = new Map<string, number>();
    const back: string[] = [];
    while (!signal.aborted) {
      for (const { place, applied } of await look()) {
        if (applied < (highest.get(place) ?? 0)) back.push(`${place}: ${highest.get(place)} to ${applied}`);
        highest.set(place, applied);
      }
      await new Promise((again) => setTimeout(again, 20));
    }
    return back;
  }
});
