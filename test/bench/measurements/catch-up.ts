import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { newId } from '#kernel/ids';
import type { Bench, Measurement } from '../bench.js';
import { TopicWatch, produceAlone } from '../limits/bare-stream.js';
import { leaveEvents, untilSlotsFollow } from '../population.js';
import { type Row, ratioAtLeast } from '../rows.js';
import { Rounds } from '../statistics.js';

const ACCOUNTS = 100_000;
const ROUNDS = 3;
/** As many rows as a fetch of 1 MiB brings, from as many connections as there are partitions. */
const INSERT_ROWS = 3_000;
const INSERT_CONNECTIONS = 4;
/** As the relay sends them. */
const SEND_ROWS = 1_000;
/** What the rounds' own limits wrote is not part of the next round's catch-up. */
const NO_MORE_BEHIND_BYTES = 1_024 * 1_024;
const LOOK_EVERY_MS = 15;
const LONGEST_MS = 60_000;

/**
 * Accounts that one region made while the link was cut: how fast its relay brings them to its own Kafka, and, once the link
 * is healed, how fast the other region catches up, each beside the same work with nothing around it.
 */
export const catchUp: Measurement = {
  name: 'relay-and-catch-up',
  run: async (bench: Bench): Promise<Row[]> => {
    const { world, here, there } = bench;
    const rounds = new Rounds<'relay' | 'producer' | 'catch-up' | 'insert'>();
    const watch = new TopicWatch(world, there, 'homeward.accounts');
    await watch.start();
    try {
      for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
        for (const region of world.regions) await untilSlotsFollow(await bench.sql(region), NO_MORE_BEHIND_BYTES);
        await world.cut();
        await world.untilCutSeen();
        const before = await watch.count();
        const count = await leaveEvents(await bench.sql(there), world.regions, there, `c${randomBytes(3).toString('hex')}-`, bench.rows(ACCOUNTS));
        rounds.note('relay', await rateOf(() => watch.count(), before, before + count));
        const applied = await appliedAt(bench);
        await world.heal();
        rounds.note('catch-up', await rateOf(() => appliedAt(bench), applied, applied + count));
        await world.settleAll();
        rounds.note('producer', await produceAlone(world, there, Buffer.alloc(330, 'a'), bench.rows(ACCOUNTS), SEND_ROWS));
        rounds.note('insert', await insertAlone(bench, here, bench.rows(ACCOUNTS)));
      }
    } finally {
      await watch.stop();
    }
    return [
      { name: 'outbox relay', unit: '/s', ...rounds.pair('relay', 'producer'), against: 'kafkajs producer alone', aim: ratioAtLeast(0.6) },
      { name: 'catch-up of 100,000 accounts', unit: '/s', ...rounds.pair('catch-up', 'insert'), against: 'batched unnest insert', aim: ratioAtLeast(0.65) },
    ];
  },
};

/** From the first progress that is seen to the end: what comes before it is waiting for the link, not work. */
async function rateOf(look: () => Promise<number>, before: number, end: number): Promise<number> {
  const untilMs = performance.now() + LONGEST_MS;
  let first: { count: number; ms: number } | undefined;
  for (;;) {
    const startMs = performance.now();
    const count = await look();
    if (count > before && first === undefined) first = { count, ms: startMs };
    if (count >= end) return (end - (first!.count === end ? before : first!.count)) / ((performance.now() - first!.ms) / 1_000);
    if (performance.now() > untilMs) throw new Error(`${end - count} of ${end - before} are missing after ${LONGEST_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function appliedAt(bench: Bench): Promise<number> {
  const client = await bench.sql(bench.here);
  const { rows } = await client.query<{ applied: string }>(`SELECT sum(applied) AS applied FROM stream_applied WHERE region = $1 AND writer = $2 AND stream = 'accounts'`, [bench.here, bench.there]);
  return Number(rows[0]!.applied);
}

/** The same rows into the same table, by one statement a batch and nothing else. @returns rows per second */
async function insertAlone(bench: Bench, region: string, count: number): Promise<number> {
  const server = await bench.sql(region);
  await server.query('CREATE TABLE bench_account (LIKE account INCLUDING ALL)');
  const clients = await Promise.all(Array.from({ length: INSERT_CONNECTIONS }, async () => {
    const client = new pg.Client({ connectionString: bench.databaseUrl(region) });
    await client.connect();
    return client;
  }));
  const batches = Array.from({ length: Math.ceil(count / INSERT_ROWS) }, (_, batch) => columns(bench.there, Math.min(INSERT_ROWS, count - batch * INSERT_ROWS)));
  try {
    const startMs = performance.now();
    await Promise.all(clients.map(async (client) => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        await client.query({
          name: 'bench-insert',
          text: `INSERT INTO bench_account (id, identifier, normalization, slot, home, created_at)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::smallint[], $5::text[], $6::timestamptz[]) ON CONFLICT DO NOTHING RETURNING id`,
          values: batch,
        });
      }
    }));
    return count / ((performance.now() - startMs) / 1_000);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
    await server.query('DROP TABLE bench_account');
  }
}

function columns(home: string, count: number): unknown[] {
  const prefix = randomBytes(6).toString('hex');
  const at = new Date().toISOString();
  const fill = <T>(of: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => of(index));
  return [fill(newId), fill((index) => `${prefix}${index}@bench.example`), fill(() => 1), fill((index) => index % 1_024), fill(() => home), fill(() => at)];
}
