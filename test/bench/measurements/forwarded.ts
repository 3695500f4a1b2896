import type { Bench, Measurement } from '../bench.js';
import { atFixedRate } from '../load/fixed-rate.js';
import type { Row } from '../rows.js';
import { median, quantile } from '../statistics.js';

/** Of each of the four kinds: together they hash on half a core. */
const PER_SECOND = 6;
const SECONDS = 20;

const KINDS = ['local sign-in', 'forwarded sign-in', 'local registration', 'forwarded registration'] as const;
type Kind = (typeof KINDS)[number];

/** Calls at one region that the other one, the home, has a part in, beside the same calls of users of this region. */
export const forwarded: Measurement = {
  name: 'forwarded',
  run: async (bench: Bench): Promise<Row[]> => {
    const { here, there } = bench;
    const api = bench.api(here);
    const calls: Record<Kind, () => Promise<unknown>> = {
      'local sign-in': () => api.signIn(bench.population(here).any()),
      // Nothing of them has crossed, so each is a second read at the home.
      'forwarded sign-in': () => api.signIn(bench.population(there).any()),
      'local registration': () => api.register(bench.newcomer(here)),
      'forwarded registration': () => api.register(bench.newcomer(there)),
    };
    const ms = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
    await atFixedRate(KINDS.length * PER_SECOND, bench.seconds(SECONDS), async (index) => {
      const kind = KINDS[index % KINDS.length]!;
      const startMs = performance.now();
      await calls[kind]();
      ms.get(kind)!.push(performance.now() - startMs);
    });
    const row = (name: string, kind: Kind, local: Kind, of: (values: readonly number[]) => number): Row =>
      ({ name, unit: 'ms', measured: of(ms.get(kind)!), limit: of(ms.get(local)!), against: 'local' });
    const p99 = (values: readonly number[]): number => quantile(values, 0.99);
    return [
      row('sign-in with a second read at the home, p50', 'forwarded sign-in', 'local sign-in', median),
      row('sign-in with a second read at the home, p99', 'forwarded sign-in', 'local sign-in', p99),
      row('registration forwarded to the home, p50', 'forwarded registration', 'local registration', median),
      row('registration forwarded to the home, p99', 'forwarded registration', 'local registration', p99),
    ];
  },
};
