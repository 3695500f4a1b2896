import type { Bench, Measurement } from '../bench.js';
import { eventually } from '../../regions/harness/eventually.js';
import { BareStream } from '../limits/bare-stream.js';
import { atFixedRate } from '../load/fixed-rate.js';
import { type Row, atMost, ratioAtMost } from '../rows.js';
import { median, quantile } from '../statistics.js';

const PER_SECOND = 20;
const SECONDS = 20;
const P50_MS = 5;
const P99_MS = 25;
/** About the length of an account's event. */
const VALUE = Buffer.alloc(330, 'a');

/**
 * From an account's commit at its home to its commit in the other region, by the commit times that both servers keep (one
 * clock on one machine), beside kafkajs's own way across the same link, a message between two registrations.
 */
export const accountLag: Measurement = {
  name: 'account-lag',
  run: async (bench: Bench): Promise<Row[]> => {
    const { world, here, there } = bench;
    const bare = new BareStream(world, there, here);
    await bare.start();
    const accounts: string[] = [];
    const bareMs: number[] = [];
    try {
      await bare.pass('first', VALUE, 0);
      await atFixedRate(2 * PER_SECOND, bench.seconds(SECONDS), async (index) => {
        if (index % 2 === 0) accounts.push(await bench.api(there).register(bench.newcomer(there)));
        else bareMs.push(await bare.pass(String(index), VALUE, (index >> 1) % 4));
      });
    } finally {
      await bare.stop();
    }
    const ms = await lags(bench, accounts);
    return [
      { name: 'account, commit to commit in the other region, p50', unit: 'ms', measured: median(ms), limit: median(bareMs), against: 'bare kafkajs', aim: atMost(P50_MS) },
      { name: 'account, commit to commit in the other region, p99', unit: 'ms', measured: quantile(ms, 0.99), limit: quantile(bareMs, 0.99), against: 'bare kafkajs', aim: atMost(P99_MS) },
      { name: 'the same p99 beside its limit', unit: 'ms', measured: quantile(ms, 0.99), limit: quantile(bareMs, 0.99), against: 'bare kafkajs', aim: ratioAtMost(3) },
    ];
  },
};

async function lags({ world, here, there }: Bench, accounts: readonly string[]): Promise<number[]> {
  const times = async (region: string): Promise<Map<string, number>> => {
    const rows = await world.sql<{ id: string; ms: number }>(region, 'SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 AS ms FROM account WHERE id = ANY($1)', [accounts]);
    if (rows.length < accounts.length) throw new Error(`${region} has ${rows.length} of ${accounts.length} accounts`);
    return new Map(rows.map(({ id, ms }) => [id, ms]));
  };
  const [written, arrived] = [await times(there), await eventually(() => times(here))];
  return accounts.map((id) => arrived.get(id)! - written.get(id)!);
}
