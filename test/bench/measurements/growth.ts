import type { Bench, Measurement } from '../bench.js';
import { inClosedLoop, throughput } from '../load/closed-loop.js';
import { type Row, ratioAtLeast } from '../rows.js';
import { Rounds } from '../statistics.js';

const FEW = 10_000;
const MANY = 1_000_000;
const CLIENTS = 16;
const SECONDS = 3;
const ROUNDS = 3;
const SESSIONS = 512;
/** A cost that grows by a tenth is a rate that falls to so much. */
const AT_LEAST = 1 / 1.1;

/** The same three calls side by side: one region with ten thousand accounts, the other one with a million. */
export const growth: Measurement = {
  name: 'growth',
  run: async (bench: Bench): Promise<Row[]> => {
    const { here, there } = bench;
    await fill(bench, here, bench.rows(FEW));
    await fill(bench, there, bench.rows(MANY));
    const calls = {
      'session check': (region: string) => checks(bench, region),
      'sign-in': (region: string) => inClosedLoop(CLIENTS, bench.seconds(SECONDS), () => bench.signIn(region)),
      registration: (region: string) => inClosedLoop(CLIENTS, bench.seconds(SECONDS), () => bench.api(region).register(bench.newcomer(region))),
    };
    const rounds = new Rounds<string>();
    for (const call of Object.values(calls)) for (const region of [here, there]) await call(region);
    for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
      for (const [name, call] of Object.entries(calls)) {
        rounds.note(`${name} few`, await call(here));
        rounds.note(`${name} many`, await call(there));
      }
    }
    return Object.keys(calls).map((name) => ({
      name: `${name} at 1,000,000 accounts`, unit: '/s' as const, ...rounds.pair(`${name} many`, `${name} few`), against: 'at 10,000', aim: ratioAtLeast(Number(AT_LEAST.toFixed(2))),
    }));
  },
};

async function checks(bench: Bench, region: string): Promise<number> {
  return throughput(`${bench.url(region)}/v1/sessions/current`, await bench.sessions(region, SESSIONS), bench.seconds(SECONDS));
}

async function fill(bench: Bench, region: string, upTo: number): Promise<void> {
  const client = await bench.sql(region);
  const { rows } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM account');
  if (rows[0]!.count < upTo) await bench.population(region).grow(client, upTo - rows[0]!.count);
  for (const table of ['account', 'password', 'credential_epoch']) await client.query(`VACUUM (ANALYZE) ${table}`);
  await client.query('CHECKPOINT');
}
