import { randomBytes } from 'node:crypto';
import { Database } from '#adapters/postgres';
import { newId } from '#kernel/ids';
import { createLogger } from '#kernel/telemetry';
import type { Bench, Measurement } from '../bench.js';
import { RawHash } from '../limits/children.js';
import { type Captured, captureCreateAccount } from '../limits/create-account.js';
import { bareLoop } from '../limits/pgbench.js';
import { inClosedLoop } from '../load/closed-loop.js';
import { type Row, ratioAtLeast } from '../rows.js';
import { Rounds } from '../statistics.js';

const CLIENTS = 16;
const SECONDS = 4;
const ROUNDS = 3;
const DATABASE = 'bench_registration';

/** The transaction of a registration through the product's pool beside pgbench, in a database of its own; then all of it over HTTP. */
export const registration: Measurement = {
  name: 'registration',
  run: async (bench: Bench): Promise<Row[]> => [...(await transactions(bench)), ...(await endToEnd(bench))],
};

async function transactions(bench: Bench): Promise<Row[]> {
  const { here } = bench;
  const server = await bench.sql(here);
  await server.query(`CREATE DATABASE ${DATABASE}`);
  const database = new Database({ url: bench.databaseUrl(here, DATABASE), region: here }, createLogger({ region: here, level: 'silent' }));
  const ready = new Promise<void>((resolve) => database.whenReady(resolve));
  database.run();
  const rounds = new Rounds<'ours' | 'bare'>();
  try {
    await ready;
    const captured = await captureCreateAccount(here, bench.world.identifier(here), bench.secret.hash);
    const bare = bareLoop(bench.databaseUrl(here, DATABASE), captured, CLIENTS);
    const ours = (seconds: number): Promise<number> => inClosedLoop(CLIENTS, seconds, () => database.write(captured.statement, another(captured)));
    await ours(1);
    for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
      rounds.note('ours', await ours(bench.seconds(SECONDS)));
      rounds.note('bare', await bare.run(bench.seconds(SECONDS)));
    }
    return [{ name: 'registration transaction', unit: '/s', ...rounds.pair('ours', 'bare'), against: bare.name, aim: ratioAtLeast(0.55) }];
  } finally {
    await database.stop();
    await server.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
  }
}

function another({ values }: Captured): unknown[] {
  return [newId(), `u${randomBytes(8).toString('hex')}@bench.example`, ...values.slice(2)];
}

async function endToEnd(bench: Bench): Promise<Row[]> {
  const raw = await RawHash.start();
  const rounds = new Rounds<'ours' | 'raw'>();
  try {
    for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
      rounds.note('ours', await inClosedLoop(CLIENTS, bench.seconds(SECONDS), () => bench.api(bench.here).register(bench.newcomer(bench.here))));
      rounds.note('raw', await raw.rate(bench.secret, bench.seconds(SECONDS)));
    }
  } finally {
    raw.stop();
  }
  return [{ name: 'registration over HTTP, replicated meanwhile', unit: '/s', ...rounds.pair('ours', 'raw'), against: 'raw argon2' }];
}
