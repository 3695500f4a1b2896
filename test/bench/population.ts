import { randomInt } from 'node:crypto';
import pg from 'pg';
import { SLOTS, evenTable, homeOf, slotOf } from '#kernel/routing';

/** Rows of one statement: small enough that the peer's slot is never far behind. */
const CHUNK = 50_000;
/** A slot further behind than this is waited for; the server gives it up at 256 MB. */
const MOST_BEHIND_BYTES = 96 * 1_024 * 1_024;

/** A slot from the text of an identifier, as `slotOf` computes it. */
const SLOT_SQL = `('x' || substr(encode(sha256(convert_to(identifier, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint % ${SLOTS}`;
/** A partition from an account's id, as `partitionOf` computes it. */
const PARTITION_SQL = `('x' || substr(encode(sha256(decode(replace(id::text, '-', ''), 'hex')), 'hex'), 1, 8))::bit(32)::bigint % 4`;

const MADE_SQL = `
  WITH named AS MATERIALIZED (SELECT uuidv7() AS id, $1 || n || '@bench.example' AS identifier FROM generate_series($2::int, $3::int) AS n),
  placed AS (SELECT *, (${SLOT_SQL})::smallint AS slot FROM named),
  made AS MATERIALIZED (SELECT * FROM placed WHERE slot BETWEEN $4 AND $5)`;

const USERS_SQL = `${MADE_SQL},
  account_rows AS (INSERT INTO account (id, identifier, normalization, slot, home, created_at) SELECT id, identifier, 1, slot, $6, now() FROM made),
  password_rows AS (INSERT INTO password (region, slot, account, hash, epoch, version, changed_at) SELECT $6, slot, id, $7, 1, 1, now() FROM made),
  epoch_rows AS (INSERT INTO credential_epoch (account, epoch) SELECT id, 1 FROM made)
  SELECT count(*)::int AS count FROM made`;

const EVENTS_SQL = `${MADE_SQL},
  account_rows AS (INSERT INTO account (id, identifier, normalization, slot, home, created_at) SELECT id, identifier, 1, slot, $6, date_trunc('milliseconds', now()) FROM made),
  event_rows AS (
    INSERT INTO outbox (stream, partition, version, key, payload)
    SELECT 'accounts', (${PARTITION_SQL})::smallint, 1, id, jsonb_build_object('id', id, 'identifier', identifier, 'normalization', 1, 'home', $6::text,
      'createdAt', to_char(date_trunc('milliseconds', now()) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) FROM made)
  SELECT count(*)::int AS count FROM made`;

/** Users of one region that were made by SQL, all with the same password: `<prefix><n>@bench.example` for each n whose slot is the region's. */
export class Population {
  private upTo = 0;
  private readonly slots: readonly [number, number];

  constructor(
    private readonly regions: readonly string[],
    readonly region: string,
    private readonly prefix: string,
    private readonly secret: { password: string; hash: string },
  ) {
    const range = evenTable(regions).ranges.find(({ home }) => home === region)!;
    this.slots = [range.from, range.to];
  }

  /**
   * Makes at least `count` more of them in their home alone: under a replication origin, which subscriptions with
   * `origin = none` leave out, so that a million rows need not cross.
   */
  async grow(client: pg.Client, count: number): Promise<void> {
    await client.query(`SELECT pg_replication_origin_create('bench') WHERE NOT EXISTS (SELECT FROM pg_replication_origin WHERE roname = 'bench')`);
    await client.query(`SELECT pg_replication_origin_session_setup('bench')`);
    try {
      for (let made = 0; made < count; ) {
        const chunk = Math.min(CHUNK, Math.ceil((count - made) * this.regions.length * 1.02) + 10);
        const { rows } = await client.query<{ count: number }>(USERS_SQL, [this.prefix, this.upTo + 1, this.upTo + chunk, ...this.slots, this.region, this.secret.hash]);
        this.upTo += chunk;
        made += rows[0]!.count;
        await untilSlotsFollow(client, MOST_BEHIND_BYTES);
      }
    } finally {
      await client.query('SELECT pg_replication_origin_session_reset()');
    }
  }

  /** One of them, at random. */
  any(): { identifier: string; password: string } {
    const table = evenTable(this.regions);
    for (;;) {
      const identifier = `${this.prefix}${randomInt(1, this.upTo + 1)}@bench.example`;
      if (homeOf(table, slotOf(identifier)) === this.region) return { identifier, password: this.secret.password };
    }
  }
}

/** Accounts with their outbox rows, in one transaction, as so many registrations would leave them. @returns how many */
export async function leaveEvents(client: pg.Client, regions: readonly string[], region: string, prefix: string, about: number): Promise<number> {
  const { from, to } = evenTable(regions).ranges.find(({ home }) => home === region)!;
  const { rows } = await client.query<{ count: number }>(EVENTS_SQL, [prefix, 1, about * regions.length, from, to, region]);
  return rows[0]!.count;
}

/** Until no slot of this server would begin further back than this, so that what was written before is not decoded again when its reader is back. */
export async function untilSlotsFollow(client: pg.Client, behindBytes: number): Promise<void> {
  for (;;) {
    // Without a fresh snapshot record a slot's restart position stays where it is for up to 15 s.
    await client.query('SELECT pg_log_standby_snapshot()');
    const { rows } = await client.query<{ behind: string | null }>('SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS behind FROM pg_replication_slots WHERE active');
    if (Number(rows[0]?.behind ?? 0) < behindBytes) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
