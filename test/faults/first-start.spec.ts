import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { databaseUrl } from '../regions/harness/deployment.js';
import { eventually } from '../regions/harness/index.js';
import { fileWorld, otherThan } from '../regions/situations.js';

const world = fileWorld();
const ROUNDS = 100;
/** Setting up takes well under a second; two that wait for each other wait for ever. */
const SET_UP_MS = 20_000;
const ALL_MS = 480_000;
const PUBLISHED = ['password', 'profile', 'ended_session', 'signout'];

/** The right to mend a region's subscription, taken from its service: whoever takes things down must not meet who puts them up. */
class Hold {
  private constructor(
    private readonly client: pg.Client,
    private readonly region: string,
    private readonly peer: string,
  ) {}

  static async take(region: string): Promise<Hold> {
    const peer = otherThan(world, region);
    const client = new pg.Client({ connectionString: databaseUrl(world.address, region) });
    client.on('error', () => undefined);
    await client.connect();
    const waiting = client.query('SELECT pg_advisory_lock(4857, hashtext($1))', [`homeward_from_${peer}`]);
    await eventually(async () => {
      const ended = await world.sql(region, `SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.classid = 4857 AND l.granted AND a.application_name = 'homeward-replication' AND l.objid = (hashtext($1)::bigint & 4294967295)::oid`, [`homeward_from_${peer}`]);
      expect(ended).toEqual([]);
    });
    await waiting;
    return new Hold(client, region, peer);
  }

  /** Subscription, publication: as on a server that has never replicated. */
  async takeDown(): Promise<void> {
    const name = `homeward_from_${this.peer}`;
    await this.client.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
    await this.client.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
    await this.client.query(`DROP SUBSCRIPTION ${name}`);
    await this.client.query(`DROP PUBLICATION homeward_${this.region}`);
  }

  /** The slot that the peer reads, once its worker is gone. */
  async dropSlots(): Promise<void> {
    await eventually(async () => {
      await this.client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
      expect((await this.client.query('SELECT 1 FROM pg_replication_slots')).rows).toEqual([]);
    });
  }

  release(): Promise<void> {
    return this.client.end();
  }
}

async function made(region: string): Promise<{ oid: string }[]> {
  return world.sql(region, `SELECT s.oid::text AS oid FROM pg_subscription s WHERE s.subname = $1 AND s.subslotname IS NOT NULL`, [`homeward_from_${otherThan(world, region)}`]);
}

describe('faults 40: both regions that start at once for the first time', () => {
  it(`set up their subscriptions without ever waiting for each other, ${ROUNDS} times, and are equal after each`, { timeout: ALL_MS, retry: 0 }, async () => {
    const tookMs: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await Promise.all(world.regions.map(made));
      const holds = await Promise.all(world.regions.map((region) => Hold.take(region)));
      await Promise.all(holds.map((hold) => hold.takeDown()));
      await Promise.all(holds.map((hold) => hold.dropSlots()));
      // Written by nobody's leave while nothing replicates, so that equality has to be made.
      for (const region of world.regions) {
        await world.sql(region, `INSERT INTO ended_session (region, slot, session_hash, expires_at) VALUES ($1, 0, sha256($2::bytea), now() + interval '1 hour')`, [region, `round ${round} ${region} ${Date.now()}`]);
      }
      const startedMs = performance.now();
      await Promise.all(holds.map((hold) => hold.release()));
      await eventually(async () => {
        const after = await Promise.all(world.regions.map(made));
        after.forEach((one, index) => {
          expect(one).toHaveLength(1);
          expect(one).not.toEqual(before[index]);
        });
        for (const table of PUBLISHED) await world.mustBeEqual(table);
      }, SET_UP_MS);
      tookMs.push(Math.round(performance.now() - startedMs));
    }
    tookMs.sort((a, b) => a - b);
    console.log(`first start at once, ${ROUNDS} rounds, ms until equal: median ${tookMs[ROUNDS / 2]}, longest ${tookMs.at(-1)}`);
    await world.mustConverge();
  });
});
