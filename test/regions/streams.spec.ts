import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { slotOf, partitionOf } from '#kernel/routing';
import { PARTITIONS, STREAMS } from '#kernel/wire';
import { ALL, KEPT_EVENTS, registerIn as register, untilKept as kept } from './events.js';
import { Cluster } from './harness/cluster.js';
import { readMetrics, sumOf } from './harness/metrics.js';
import { type User, eventually, sharedWorld } from './harness/index.js';

const world = sharedWorld();
const TOPIC = 'homeward.accounts';
let kafka: Cluster;

beforeAll(() => {
  kafka = new Cluster(world, 'east');
});

const untilKept = (users: readonly Pick<User, 'id'>[], withinMs?: number): Promise<void> => kept(world, 'west', users, withinMs);
const registerIn = (partitions: readonly number[]): Promise<User[]> => register(world, 'east', partitions);

/** What east's service would have written for an account, by a version of it that `version` and `change` stand for. */
async function putEvent(version: number, change: object = {}): Promise<{ id: string; identifier: string }> {
  const [id, identifier] = [randomUUID(), world.identifier('east')];
  const payload = { id, identifier, normalization: 1, home: 'east', createdAt: new Date().toISOString(), ...change };
  await world.sql('east', `INSERT INTO outbox (stream, partition, version, key, payload) VALUES ('accounts', $1, $2, $3, $4)`, [partitionOf(id, PARTITIONS), version, id, payload]);
  return { id, identifier };
}

async function status(region: string): Promise<any> {
  return (await world.ops(region, 'GET', '/ops/status')).body;
}

/** Until west counts so many events of east as pulled: it does after they had their effect. */
function untilPulled(count: number): Promise<void> {
  return eventually(async () => expect((await status('west')).peers.east.events.pulled).toBeGreaterThanOrEqual(count));
}

async function letters(): Promise<any[]> {
  const answer = await world.ops('west', 'GET', '/ops/dead-letters?limit=200');
  expect(answer.status).toBe(200);
  return answer.body.items.filter(({ replayedAt }: { replayedAt: string | null }) => replayedAt === null);
}

/** What a person does who has decided that these letters are worthless. */
async function forgetLetters(): Promise<void> {
  await world.sql('west', 'DELETE FROM dead_letter');
}

describe('the accounts stream', () => {
  it('carries every account to the peer, numbered without gaps per partition', async () => {
    const users = await registerIn(ALL);
    await untilKept(users);
    await world.settleAll();
    const { heads } = (await status('east')).streams;
    const stored = await kafka.read(TOPIC);
    for (const partition of ALL) {
      const messages = stored.filter((message) => message.partition === partition).map(({ value }) => JSON.parse(value.toString()));
      const numbers = [...new Set(messages.map(({ number }) => number as number))].sort((a, b) => a - b);
      expect(numbers.at(-1)).toBe(heads.accounts[partition]);
      expect(numbers).toEqual(numbers.map((_, index) => numbers[0]! + index));
      for (const message of messages) expect(message).toMatchObject({ v: 1, writer: 'east', stream: 'accounts', partition });
    }
    const [sample] = users;
    const message = stored.map(({ key, value }) => ({ kafkaKey: key, ...JSON.parse(value.toString()) })).find(({ key }) => key === sample!.id);
    expect(message).toMatchObject({ kafkaKey: sample!.id, payload: { id: sample!.id, identifier: sample!.identifier, home: 'east' } });
  });

  it('keeps the rows of the outbox until the peer has confirmed them, and no longer', async () => {
    await world.settleAll();
    await world.cut('refuse');
    const users = await registerIn(ALL);
    await eventually(async () => {
      const { heads, sent } = (await status('east')).streams;
      expect(sent.accounts).toEqual(heads.accounts);
    });
    const kept = await world.sql<{ key: string }>('east', KEPT_EVENTS);
    expect(kept.map(({ key }) => key)).toEqual(expect.arrayContaining(users.map(({ id }) => id)));
    expect(await world.sql('east', 'SELECT 1 FROM outbox')).toEqual([]);
    expect((await status('east')).outbox).toMatchObject({ depth: kept.length, oldestUnconfirmedMs: expect.any(Number) });
    await world.heal();
    await untilKept(users);
    await eventually(async () => expect(await world.sql('east', KEPT_EVENTS)).toEqual([]));
    await world.mustConverge();
  });

  it('faults 19: has no effect when its messages are delivered again and again', async () => {
    await world.settleAll();
    const before = await world.sql('west', 'SELECT count(*) FROM account');
    const stored = await kafka.read(TOPIC);
    for (const partition of ALL) {
      const again = stored.filter((message) => message.partition === partition).map(({ value }) => value);
      await kafka.produce(TOPIC, partition, [...again, ...again.toReversed(), ...again]);
    }
    const duplicated = await kafka.offsets(TOPIC);
    const users = await registerIn(ALL);
    await untilKept(users);
    await eventually(async () => {
      const rows = await world.sql<{ partition: number; offset: string }>('west', `SELECT partition, kafka_offset AS offset FROM stream_applied WHERE region = 'west' AND writer = 'east' AND stream = 'accounts'`);
      for (const { partition, high } of duplicated) expect(Number(rows.find((row) => row.partition === partition)!.offset)).toBeGreaterThanOrEqual(high);
    });
    expect(await world.sql('west', `SELECT count(*) - ${users.length} AS count FROM account`)).toEqual(before);
    expect(await letters()).toEqual([]);
    expect((await world.ops('west', 'GET', '/ops/conflicts')).body.items).toEqual([]);
    await world.mustConverge();
  });

  it('faults 7: is pulled by number where Kafka no longer holds what was written during a cut', async () => {
    await world.settleAll();
    const { pulled } = (await status('west')).peers.east.events;
    await world.cut('blackhole');
    const users = await registerIn(ALL);
    await eventually(async () => {
      const { heads, sent } = (await status('east')).streams;
      expect(sent.accounts).toEqual(heads.accounts);
    });
    await kafka.deleteRecords(TOPIC);
    await world.heal();
    await untilKept(users);
    await untilPulled(pulled + users.length);
    await world.mustConverge();
  });
});

describe("faults 16: the reader's own position, lost", () => {
  const forget = `UPDATE stream_applied SET applied = 0, kafka_offset = -1 WHERE region = 'west' AND writer = 'east'`;

  it.each(['while it runs', 'while it is down'])('is found again %s, and replaying has no effect', async (when) => {
    await world.settleAll();
    const heads = (await status('east')).streams.heads;
    if (when === 'while it is down') await world.part('west', 'api', { state: 'down' });
    await world.sql('west', forget);
    await world.part('west', 'api', { state: 'up' });
    await untilKept(await registerIn(ALL), 30_000);
    await eventually(async () => {
      const rows = await world.sql<{ stream: 'accounts' | 'epochs'; partition: number; applied: string }>('west', `SELECT stream, partition, applied FROM stream_applied WHERE region = 'west' AND writer = 'east'`);
      expect(rows).toHaveLength(STREAMS.length * PARTITIONS);
      for (const { partition, applied } of rows.filter(({ stream }) => stream === 'accounts')) expect(Number(applied)).toBeGreaterThanOrEqual(heads.accounts[partition]);
    });
    expect(await letters()).toEqual([]);
    expect((await world.ops('west', 'GET', '/ops/conflicts')).body.items).toEqual([]);
    await world.mustConverge();
  });
});

describe('faults 18: a message that can not be applied', () => {
  it('is kept aside whole when its bytes are malformed, all others flow, and it is closed once nothing is missing up to its place', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0xfe, 0x7b]);
    for (const partition of ALL) await kafka.produce(TOPIC, partition, [bytes, Buffer.from('{"v":1')]);
    const kept = await eventually(async () => {
      const found = await letters();
      expect(found).toHaveLength(2 * PARTITIONS);
      return found;
    });
    for (const letter of kept) expect(letter).toMatchObject({ writer: 'east', stream: 'accounts', reason: 'malformed', detail: expect.any(String), kafkaOffset: expect.anything() });
    expect(kept.filter(({ detail, body }) => detail.startsWith('base64') && Buffer.from(body, 'base64').equals(bytes))).toHaveLength(PARTITIONS);
    expect(kept.filter(({ body }) => body === '{"v":1')).toHaveLength(PARTITIONS);
    expect((await status('west')).deadLetters).toBe(2 * PARTITIONS);
    expect(await world.ops('west', 'POST', `/ops/dead-letters/${kept[0].id}/replay`)).toMatchObject({ status: 200, body: { outcome: 'unreadable' } });
    await untilKept(await registerIn(ALL));
    await eventually(async () => expect(await letters()).toEqual([]));
    const { items } = (await world.ops('west', 'GET', '/ops/dead-letters?limit=200')).body;
    for (const letter of kept) expect(items).toContainEqual({ ...letter, detail: expect.stringContaining(letter.detail), replayedAt: expect.any(String) });
    // Read again, as after a lost position, they stay closed.
    await world.sql('west', `UPDATE stream_applied SET kafka_offset = -1 WHERE region = 'west' AND writer = 'east'`);
    await world.part('west', 'api', { state: 'down' });
    await world.part('west', 'api', { state: 'up' });
    await untilKept(await registerIn(ALL), 30_000);
    expect(await letters()).toEqual([]);
    await forgetLetters();
    await world.mustConverge();
  });

  it('does not stop its partition when it claims a number that the writer has not given, whatever number that is, and makes no storm of pulling', async () => {
    await world.settleAll();
    const { heads } = (await status('east')).streams;
    const forged: string[] = [];
    for (const [index, partition] of ALL.entries()) {
      const id = await idIn(partition);
      forged.push(id);
      const payload = { id, identifier: world.identifier('east'), normalization: 1, home: 'east', createdAt: new Date().toISOString() };
      const message = { v: 1, writer: 'east', stream: 'accounts', partition, number: heads.accounts[partition] + [2, 3, 1_000, 1_000_000][index]!, key: id, payload };
      await kafka.produce(TOPIC, partition, [Buffer.from(JSON.stringify(message))]);
    }
    const kept = await eventually(async () => {
      const found = await letters();
      expect(found).toHaveLength(PARTITIONS);
      return found;
    });
    for (const letter of kept) expect(letter).toMatchObject({ writer: 'east', stream: 'accounts', reason: 'unwritten', number: null, key: null });
    const asked = async (): Promise<number> => sumOf(readMetrics((await world.ops('east', 'GET', '/metrics')).text), 'homeward_request_seconds_count', { route: 'POST /peer/v1/events' }) ?? 0;
    const before = await asked();
    for (let round = 0; round < 3; round += 1) await untilKept(await registerIn(ALL));
    // Kafka brings what is true, and nothing is asked of the writer for the rest; a busy machine may be late once.
    expect((await asked()) - before).toBeLessThanOrEqual(2 * PARTITIONS);
    expect(await world.sql('west', 'SELECT 1 FROM account WHERE id = ANY ($1)', [forged])).toEqual([]);
    expect(await letters()).toHaveLength(PARTITIONS);
    // Their place in Kafka is what the writer's operator clears.
    await kafka.deleteRecords(TOPIC);
    await forgetLetters();
    await world.mustConverge();
  });

  it('waits as unknown-version when a newer region wrote it, later ones of its key behind it, and is replayed by command once it is readable', async () => {
    const { id, identifier } = await putEvent(2, { colour: 'blue' });
    const createdAt = new Date().toISOString();
    const follower = { id, identifier, normalization: 1, home: 'east', createdAt };
    await world.sql('east', `INSERT INTO outbox (stream, partition, version, key, payload) VALUES ('accounts', $1, 1, $2, $3)`, [partitionOf(id, PARTITIONS), id, follower]);
    await untilKept(await registerIn([partitionOf(id, PARTITIONS)]));
    const [second, first] = (await eventually(async () => {
      const found = (await letters()).filter(({ key }) => key === id);
      expect(found).toHaveLength(2);
      return found;
    })) as any[];
    expect(first).toMatchObject({ reason: 'unknown-version', version: 2, key: id, number: expect.anything() });
    expect(JSON.parse(first.body)).toMatchObject({ v: 2, key: id, payload: { colour: 'blue' } });
    expect(second).toMatchObject({ reason: 'follows-dead-letter', key: id });
    expect((await world.ops('west', 'POST', `/ops/dead-letters/${second.id}/replay`)).body).toMatchObject({ outcome: 'behind-another', first: first.id });
    // What the upgrade of this region would understand is put there in version 1, as the same account at its home.
    await world.sql('east', `
      WITH made AS (INSERT INTO account (id, identifier, normalization, slot, home, created_at) VALUES ($1, $2, 1, $3, 'east', $4) RETURNING id, slot),
      epoch AS (INSERT INTO credential_epoch (account, epoch) SELECT id, 1 FROM made)
      INSERT INTO password (region, slot, account, hash, epoch, version, changed_at) SELECT 'east', slot, id, 'none', 1, 1, now() FROM made`, [id, identifier, slotOf(identifier), createdAt]);
    await world.sql('west', 'UPDATE dead_letter SET body = $2, version = 1 WHERE id = $1', [first.id, second.body.replace(/"number":\d+/, `"number":${first.number}`)]);
    expect((await world.ops('west', 'POST', `/ops/dead-letters/${first.id}/replay`)).body).toEqual({ outcome: 'replayed', followers: 1 });
    await untilKept([{ id }]);
    expect(await letters()).toEqual([]);
    expect((await world.ops('west', 'POST', `/ops/dead-letters/${first.id}/replay`)).body).toEqual({ outcome: 'already-replayed' });
    expect((await world.ops('west', 'POST', `/ops/dead-letters/${randomUUID()}/replay`)).status).toBe(404);
    await forgetLetters();
    await world.mustConverge();
  });

  it('is kept aside when its writer is not the home of its account', async () => {
    const { id } = await putEvent(1, { home: 'west' });
    await untilKept(await registerIn([partitionOf(id, PARTITIONS)]));
    expect(await letters()).toEqual([expect.objectContaining({ reason: 'refused', key: id })]);
    expect(await world.sql('west', 'SELECT 1 FROM account WHERE id = $1', [id])).toEqual([]);
    await forgetLetters();
    await world.mustConverge();
  });
});

describe('an account that contradicts one that is here', () => {
  it('goes to quarantine whole, is listed in GET /ops/conflicts, and others flow', async () => {
    const identifier = world.identifier('east');
    const stranger = randomUUID();
    await world.sql('west', `INSERT INTO account (id, identifier, normalization, slot, home, created_at) VALUES ($1, $2, 1, $3, 'east', now())`, [stranger, identifier, slotOf(identifier)]);
    const answer = await world.api('east', 'POST', '/v1/accounts', { body: { identifier, password: 'violet-otter-42' } });
    expect(answer.status).toBe(201);
    await untilKept(await registerIn([partitionOf(answer.body.id, PARTITIONS)]));
    const { items } = (await world.ops('west', 'GET', '/ops/conflicts')).body;
    expect(items).toEqual([expect.objectContaining({ kind: 'account', account: answer.body.id, writer: 'east', body: expect.objectContaining({ id: answer.body.id, identifier, home: 'east' }), detail: expect.stringContaining('identifier') })]);
    expect((await status('west')).conflicts).toBe(1);
    expect(await world.sql('west', 'SELECT id FROM account WHERE identifier = $1', [identifier])).toEqual([{ id: stranger }]);
    // A person decides for the home's.
    const { id, home, createdAt } = answer.body;
    await world.sql('west', 'DELETE FROM account WHERE id = $1', [stranger]);
    await world.sql('west', 'INSERT INTO account (id, identifier, normalization, slot, home, created_at) VALUES ($1, $2, 1, $3, $4, $5)', [id, identifier, slotOf(identifier), home, createdAt]);
    await world.sql('west', 'DELETE FROM conflict');
    await world.mustConverge();
  });
});

describe("faults 15: without the writer's Kafka", () => {
  it('registrations go on, reach the peer all the same by number, and everything drains when it is back', async () => {
    await world.settleAll();
    const { pulled } = (await status('west')).peers.east.events;
    await world.part('east', 'kafka', { state: 'down', signal: 'SIGKILL' });
    try {
      const users = await registerIn(ALL);
      await untilKept(users);
      for (const user of users.slice(0, 2)) expect(await world.signIn('west', user)).toBeTruthy();
      await untilPulled(pulled + users.length);
      await eventually(async () => expect((await status('east')).outbox.depth).toBe(0));
    } finally {
      await world.part('east', 'kafka', { state: 'up' });
    }
    const afterwards = await registerIn(ALL);
    await untilKept(afterwards);
    await world.mustConverge();
  });
});

/** An account id whose events belong to a partition. */
async function idIn(partition: number): Promise<string> {
  for (;;) {
    const id = randomUUID();
    if (partitionOf(id, PARTITIONS) === partition) return id;
  }
}
