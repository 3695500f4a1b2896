import type { Bench, Measurement } from '../bench.js';
import { type Row, atMost } from '../rows.js';
import { median, quantile } from '../statistics.js';

const SESSIONS = 300;
/** Pause between two ends: nothing waits for anything. */
const PAUSE_MS = 15;
const P99_MS = 10;

/** From the moment when the end was asked for until a check in the same region first says so. */
export const endOfSession: Measurement = {
  name: 'end-of-session',
  run: async (bench: Bench): Promise<Row[]> => {
    const tokens = await bench.takeSessions(bench.here, bench.rows(SESSIONS));
    const ms: number[] = [];
    for (const token of tokens) {
      ms.push(await untilSeen(bench, token));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return [
      { name: 'end of a session seen in the same region, p50', unit: 'ms', measured: median(ms) },
      { name: 'end of a session seen in the same region, p99', unit: 'ms', measured: quantile(ms, 0.99), aim: atMost(P99_MS) },
    ];
  },
};

async function untilSeen(bench: Bench, token: string): Promise<number> {
  const api = bench.api(bench.here);
  const startMs = performance.now();
  const ended = api.signOut(token);
  while ((await api.checkStatus(token)) !== 401);
  const tookMs = performance.now() - startMs;
  await ended;
  return tookMs;
}
