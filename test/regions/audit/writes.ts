import pg from 'pg';
import { databaseUrl } from '../harness/deployment.js';
import type { World } from '../harness/index.js';
import { accountsSql } from './rows.js';

/** Ten rows each time, twenty times a second. */
const EVERY_MS = 50;

/** Some 200 writes a second in one region's own rows, in tables of each way: accounts, passwords, profiles, endings that come and go, incidents that change. */
export class Writes {
  written = 0;
  private going = true;
  private loop: Promise<void> | undefined;

  constructor(
    private readonly world: World,
    private readonly region: string,
    private readonly slots: readonly [number, number],
    private from: number,
  ) {}

  async run(): Promise<void> {
    const client = new pg.Client({ connectionString: databaseUrl(this.world.address, this.region) });
    await client.connect();
    this.loop = this.write(client).finally(() => client.end());
  }

  /** @throws what a write threw */
  async stop(): Promise<void> {
    this.going = false;
    await this.loop;
  }

  private async write(client: pg.Client): Promise<void> {
    const own = `region = '${this.region}'`;
    // Rows that go back to what they were, and that come and go: neither has a version.
    await client.query(`INSERT INTO incident (region, id, peer, opened_at, closed_at, counts) SELECT '${this.region}', ('a0d17000-0000-7000-' || substr(uuidv7()::text, 20))::uuid, 'north', now(), now(), '{}' FROM generate_series(1, 2)`);
    const statements: readonly [string, (turn: number) => unknown][] = [
      [`UPDATE incident SET counts = jsonb_build_object('n', $1::int) WHERE ${own} AND peer = 'north'`, (turn) => turn % 2],
      [`UPDATE profile SET fields = fields || jsonb_build_object('locale', jsonb_build_object('s', $1::int, 'v', 'de')), version = version + 1
        WHERE ${own} AND account IN (SELECT account FROM profile WHERE ${own} ORDER BY account DESC LIMIT 3)`, (turn) => turn],
      [`WITH gone AS (DELETE FROM ended_session WHERE ${own} AND session_hash = sha256(('written ' || $1)::bytea) RETURNING 1)
        INSERT INTO ended_session (region, slot, session_hash, expires_at) SELECT '${this.region}', 0, sha256(('written ' || $1)::bytea), now() WHERE NOT EXISTS (SELECT FROM gone)`, (turn) => String(turn % 7)],
    ];
    for (let turn = 0; this.going; turn += 1) {
      const dueMs = performance.now() + EVERY_MS;
      const { rows } = await client.query<{ count: number }>(accountsSql(this.region, this.slots), [this.from + 1, this.from + 2]);
      this.from += 2;
      this.written += 5 * rows[0]!.count;
      for (const [text, value] of statements) this.written += (await client.query(text, [value(turn)])).rowCount ?? 0;
      await new Promise((next) => setTimeout(next, Math.max(0, dueMs - performance.now())));
    }
  }
}
