import type { Bench, Measurement } from '../bench.js';
import { atFixedRate } from '../load/fixed-rate.js';
import { type Row, ratioAtMost } from '../rows.js';
import { median, quantile } from '../statistics.js';

const SECONDS = 5;
const ROUNDS = 4;
const EDITORS = 200;
/** Calls per second of each kind, all at once. */
const RATES = { 'session check': 200, 'sign-in': 10, 'profile write': 30 } as const;
type Kind = keyof typeof RATES;
const KINDS = Object.keys(RATES) as Kind[];
/** "No slower" on a machine whose single windows move by more than this. */
const NO_SLOWER = 1.1;

/** What a region does for its own users while it reaches its peer, and while it does not. */
export const cut: Measurement = {
  name: 'cut',
  run: async (bench: Bench): Promise<Row[]> => {
    const tokens = await bench.sessions(bench.here, EDITORS);
    const [up, gone] = [new Latencies(), new Latencies()];
    for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
      await up.add(bench, tokens);
      await bench.world.cut();
      await bench.world.untilCutSeen();
      await gone.add(bench, tokens);
      await bench.world.heal();
      await bench.world.settleAll();
    }
    return KINDS.flatMap((kind): Row[] => [
      { name: `${kind} with the link cut, p50`, unit: 'ms', measured: median(gone.of(kind)), limit: median(up.of(kind)), against: 'link up', aim: ratioAtMost(NO_SLOWER) },
      { name: `${kind} with the link cut, p99`, unit: 'ms', measured: quantile(gone.of(kind), 0.99), limit: quantile(up.of(kind), 0.99), against: 'link up', aim: ratioAtMost(NO_SLOWER) },
    ]);
  },
};

/** Latencies of all rounds by kind. */
class Latencies {
  private readonly ms = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));

  of(kind: Kind): readonly number[] {
    return this.ms.get(kind)!;
  }

  async add(bench: Bench, tokens: readonly string[]): Promise<void> {
    const api = bench.api(bench.here);
    const calls: Record<Kind, (index: number) => Promise<unknown>> = {
      'session check': (index) => api.check(tokens[index % tokens.length]!),
      'sign-in': () => api.signIn(bench.population(bench.here).any()),
      'profile write': (index) => api.editProfile(tokens[index % tokens.length]!, { bio: `edit ${index}` }),
    };
    await Promise.all(KINDS.map(async (kind) => {
      const { ms } = await atFixedRate(RATES[kind], bench.seconds(SECONDS), calls[kind]);
      this.ms.get(kind)!.push(...ms);
    }));
  }
}
