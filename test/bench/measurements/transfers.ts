import { randomInt, randomUUID } from 'node:crypto';
import { Database } from '#adapters/postgres';
import { DecideTransfer, KeepRequest, digestOfKey, transferId } from '#features/transfers';
import { SystemClock } from '#kernel/clock';
import { slotOf } from '#kernel/routing';
import { createLogger } from '#kernel/telemetry';
import type { TransferOrder } from '#kernel/wire';
import { Money } from '../../regions/harness/money.js';
import type { Bench, Measurement } from '../bench.js';
import { BareTransfer } from '../limits/bare-transfer.js';
import { inClosedLoop } from '../load/closed-loop.js';
import { type Row, ratioAtLeast } from '../rows.js';
import { Rounds } from '../statistics.js';

const ACCOUNTS = 64;
const FUNDS = 1_000_000_000;
const CLIENTS = 16;
const SECONDS = 4;
const ROUNDS = 3;
const REQUESTS = 10_000;
/** As many as a stream has partitions: each settles its own requests one batch after the other. */
const LANES = 4;
const EXPIRY_MS = 86_400_000;
const LOOK_EVERY_MS = 15;
const LONGEST_MS = 60_000;

interface Payer {
  readonly id: string;
  readonly identifier: string;
}

/** Transfers within one home beside two bare postings, and requests of a cut settling after it beside the same transactions without the queue. */
export const transfers: Measurement = {
  name: 'transfers',
  run: async (bench: Bench): Promise<Row[]> => {
    const payers = await paidIn(bench);
    const [home, away] = await Promise.all([opened(bench, bench.here), opened(bench, bench.there)]);
    try {
      const deciding = new DecideTransfer({ region: bench.here, regions: bench.world.regions, expiryMs: EXPIRY_MS }, home, new SystemClock(0), () => undefined);
      const one = (): Promise<unknown> => deciding.order(order(bench, payers, bench.here), () => true);
      return [await settled(bench, payers, one), ...(await queued(bench, payers, away, one))];
    } finally {
      await Promise.all([home.stop(), away.stop()]);
    }
  },
};

async function paidIn(bench: Bench): Promise<Payer[]> {
  const sql = await bench.sql(bench.here);
  const { rows } = await sql.query<Payer>('SELECT id, identifier FROM account WHERE home = $1 LIMIT $2', [bench.here, ACCOUNTS]);
  const money = new Money(bench.world);
  await Promise.all(rows.map(({ id }) => money.deposit(id, FUNDS, 'bench', bench.here)));
  return rows;
}

/** A pool of the product's own onto a region's database, apart from its service's. */
async function opened(bench: Bench, region: string): Promise<Database> {
  const database = new Database({ url: bench.databaseUrl(region), region }, createLogger({ region, level: 'silent' }));
  const ready = new Promise<void>((resolve) => database.whenReady(resolve));
  database.run();
  await ready;
  return database;
}

function order({ here }: Bench, payers: readonly Payer[], acceptedBy: string): TransferOrder {
  const [payer, payee] = [randomInt(payers.length), 1 + randomInt(payers.length - 1)];
  const content = { payer: payers[payer]!.id, payee: payers[(payer + payee) % payers.length]!.id, amount: 1 };
  const key = digestOfKey(randomUUID());
  return { ...content, id: transferId(content, key), payeeHome: here, key, session: digestOfKey('bench'), epoch: 1, acceptedBy, requestedAt: new Date().toISOString() };
}

async function settled(bench: Bench, payers: readonly Payer[], one: () => Promise<unknown>): Promise<Row> {
  const bare = await BareTransfer.start(bench.databaseUrl(bench.here), payers.map(({ id }) => id), CLIENTS);
  const rounds = new Rounds<'ours' | 'bare'>();
  const two = (): Promise<void> => {
    const { id, payer, payee, amount } = order(bench, payers, bench.here);
    return bare.move(id, payer, payee, amount);
  };
  try {
    await inClosedLoop(CLIENTS, 1, one);
    for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
      rounds.note('ours', await inClosedLoop(CLIENTS, bench.seconds(SECONDS), one));
      rounds.note('bare', await inClosedLoop(CLIENTS, bench.seconds(SECONDS), two));
    }
    return { name: 'transfer within one home', unit: '/s', ...rounds.pair('ours', 'bare'), against: 'two postings through pg', aim: ratioAtLeast(0.5) };
  } finally {
    await bare.stop();
  }
}

async function queued(bench: Bench, payers: readonly Payer[], away: Database, one: () => Promise<unknown>): Promise<Row[]> {
  const { world, here, there } = bench;
  const keeping = new KeepRequest({ region: there, regions: world.regions }, away, () => undefined);
  const slots = new Map(payers.map(({ id, identifier }) => [id, slotOf(identifier)]));
  const rounds = new Rounds<'queue' | 'loop'>();
  for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
    await world.cut();
    await world.untilCutSeen();
    const before = await decided(bench);
    let left = bench.rows(REQUESTS);
    const count = left;
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      while (left > 0) {
        left -= 1;
        const request = order(bench, payers, there);
        await keeping.keep(request, here, slots.get(request.payer)!);
      }
    }));
    await world.heal();
    rounds.note('queue', await rateOf(bench, before, before + count));
    await world.settleAll();
    await mustBeInOrder(bench);
    rounds.note('loop', await inClosedLoop(LANES, bench.seconds(SECONDS), one));
    await world.settleAll();
  }
  const { measured, limit } = rounds.pair('queue', 'loop');
  return [{ name: '10,000 requests settled after a cut', unit: '/s', measured, limit, against: 'the same transactions in a loop', aim: ratioAtLeast(0.6) }];
}

async function decided(bench: Bench): Promise<number> {
  const sql = await bench.sql(bench.here);
  const { rows } = await sql.query<{ count: number }>('SELECT count(*)::int AS count FROM transfer_decision WHERE region = $1 AND accepted_by = $2', [bench.here, bench.there]);
  return rows[0]!.count;
}

/** From the first decision that is seen to the last: what comes before it is waiting for the link, not work. */
async function rateOf(bench: Bench, before: number, end: number): Promise<number> {
  const untilMs = performance.now() + LONGEST_MS;
  let first: { count: number; ms: number } | undefined;
  for (;;) {
    const [count, ms] = [await decided(bench), performance.now()];
    if (count > before) first ??= { count, ms };
    if (first !== undefined && count >= end) return count === first.count ? count - before : ((count - first.count) / (ms - first.ms)) * 1_000;
    if (ms > untilMs) throw new Error(`${end - count} of ${end - before} requests are not settled after ${LONGEST_MS} ms`);
    await new Promise((look) => setTimeout(look, LOOK_EVERY_MS));
  }
}

/** Each payer's requests were decided in the order in which they were asked. */
async function mustBeInOrder(bench: Bench): Promise<void> {
  const sql = await bench.sql(bench.here);
  const { rows } = await sql.query(`
    SELECT id FROM (SELECT r.id, d.decided_at, lag(d.decided_at) OVER (PARTITION BY r.payer ORDER BY r.version) AS before
                    FROM transfer_request r JOIN transfer_decision d ON d.region = $1 AND d.id = r.id WHERE r.region = $2) AS taken WHERE before > decided_at LIMIT 1`, [bench.here, bench.there]);
  if (rows.length > 0) throw new Error(`a request overtook an earlier one of its payer: ${JSON.stringify(rows)}`);
}
