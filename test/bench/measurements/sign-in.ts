import type { Bench, Measurement } from '../bench.js';
import { RawHash } from '../limits/children.js';
import { inClosedLoop } from '../load/closed-loop.js';
import { atFixedRate } from '../load/fixed-rate.js';
import { type Row, ratioAtLeast, ratioAtMost } from '../rows.js';
import { Rounds, quantile } from '../statistics.js';

const CLIENTS = 16;
const CHECKS_PER_SECOND = 2_000;
const CHECK_SECONDS = 5;
const SIGN_IN_SECONDS = 4;
const ROUNDS = 3;
/** Distinct sessions that are checked. */
const SESSIONS = 512;

/** Sign-in alone beside raw hashing; sign-in beside session checks, and what each costs the other. */
export const signIn: Measurement = {
  name: 'sign-in',
  run: async (bench: Bench): Promise<Row[]> => {
    const raw = await RawHash.start();
    const rounds = new Rounds<'raw' | 'alone' | 'beside' | 'p99 alone' | 'p99 beside'>();
    const { here } = bench;
    const signIns = (seconds: number): Promise<number> => inClosedLoop(CLIENTS, seconds, () => bench.signIn(here));
    try {
      const tokens = await bench.sessions(here, SESSIONS);
      const checks = (): Promise<{ ms: number[] }> =>
        atFixedRate(CHECKS_PER_SECOND, bench.seconds(CHECK_SECONDS), (index) => bench.api(here).check(tokens[index % tokens.length]!));
      await Promise.all([checks(), signIns(1)]);
      for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
        rounds.note('p99 alone', quantile((await checks()).ms, 0.99));
        const [checked, rate] = await Promise.all([checks(), signIns(bench.seconds(CHECK_SECONDS))]);
        rounds.note('p99 beside', quantile(checked.ms, 0.99));
        rounds.note('beside', rate);
        rounds.note('alone', await signIns(bench.seconds(SIGN_IN_SECONDS)));
        rounds.note('raw', await raw.rate(bench.secret, bench.seconds(SIGN_IN_SECONDS)));
      }
    } finally {
      raw.stop();
    }
    return [
      { name: 'session check p99 at 2,000/s beside 16 sign-in clients', unit: 'ms', ...rounds.pair('p99 beside', 'p99 alone'), against: 'without them', aim: ratioAtMost(2) },
      { name: 'sign-in beside that load', unit: '/s', ...rounds.pair('beside', 'alone'), against: 'sign-in alone', aim: ratioAtLeast(0.85) },
      { name: 'sign-in alone', unit: '/s', ...rounds.pair('alone', 'raw'), against: 'raw argon2', aim: ratioAtLeast(0.95) },
    ];
  },
};
