import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Bench, Measurement } from '../bench.js';
import { BareReplication } from '../limits/bare-replication.js';
import { atFixedRate } from '../load/fixed-rate.js';
import { type Row, ratioAtMost } from '../rows.js';
import { median, quantile } from '../statistics.js';
import { fineWallClock } from '../wall-clock.js';

const PER_SECOND = 40;
const SECONDS = 15;
/** Each edits its profile once a round, so that an arrival is of the newest edit. */
const EDITORS = 200;
const ARRIVAL_MS = 10_000;
const COMMITTED = `SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 AS ms FROM profile WHERE account = $1 AND region = $2`;

/** From a profile edit's commit until the other region is told of the row, beside a bare replicated insert between two edits. */
export const profileLag: Measurement = {
  name: 'profile-lag',
  run: async (bench: Bench): Promise<Row[]> => {
    const { here, there } = bench;
    const [from, to] = [bench.pool(there), await bench.sql(here)];
    const bare = new BareReplication(from, to, here);
    await bare.start();
    const tokens = await bench.sessions(there, EDITORS);
    const arrivals = new Arrivals(to);
    const [ours, limit]: [number[], number[]] = [[], []];
    try {
      await arrivals.start();
      const insert = async (): Promise<number> => {
        const id = randomUUID();
        const arrived = arrivals.of(id);
        const writtenMs = await bare.insert(id, '{"bio": {"v": "bench", "s": "1"}}');
        return (await arrived) - writtenMs;
      };
      const edit = async (index: number): Promise<number> => {
        const account = await bench.api(there).editProfile(tokens[index % EDITORS]!, { bio: `edit ${index}` });
        const { rows } = await from.query<{ ms: number }>(COMMITTED, [account, there]);
        return (await arrivals.after(account, rows[0]!.ms)) - rows[0]!.ms;
      };
      await insert();
      await atFixedRate(2 * PER_SECOND, bench.seconds(SECONDS), async (index) => {
        if (index % 2 === 0) ours.push(await edit(index >> 1));
        else limit.push(await insert());
      });
    } finally {
      await arrivals.stop();
      await bare.stop();
    }
    return [
      { name: 'profile, commit to arrival in the other region, p50', unit: 'ms', measured: median(ours), limit: median(limit), against: 'bare replicated insert' },
      { name: 'profile, commit to arrival in the other region, p99', unit: 'ms', measured: quantile(ours, 0.99), limit: quantile(limit, 0.99), against: 'bare replicated insert', aim: ratioAtMost(3) },
    ];
  },
};

/** When rows were told of, by account or id. */
class Arrivals {
  private readonly seen = new Map<string, number>();
  private readonly waiting = new Map<string, () => void>();
  private readonly wallMs = fineWallClock();

  constructor(private readonly client: pg.Client) {}

  async start(): Promise<void> {
    this.client.on('notification', this.hear);
    await this.client.query('LISTEN homeward_arrived; LISTEN bench_bare');
  }

  async stop(): Promise<void> {
    await this.client.query('UNLISTEN *');
    this.client.off('notification', this.hear);
  }

  of(key: string): Promise<number> {
    return this.after(key, 0);
  }

  /** The first time after `sinceMs` that a row of this key was told of. @throws Error where none is for long */
  async after(key: string, sinceMs: number): Promise<number> {
    const untilMs = performance.now() + ARRIVAL_MS;
    for (;;) {
      const atMs = this.seen.get(key);
      if (atMs !== undefined && atMs > sinceMs) return atMs;
      if (performance.now() > untilMs) throw new Error(`no row of ${key} arrived`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ARRIVAL_MS);
        this.waiting.set(key, () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  private readonly hear = ({ payload }: pg.Notification): void => {
    const key = payload?.split(':').at(-1) ?? '';
    this.seen.set(key, this.wallMs());
    this.waiting.get(key)?.();
    this.waiting.delete(key);
  };
}
