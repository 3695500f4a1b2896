import type { Database } from '#adapters/postgres';
import type { Page } from '#kernel/pages';

/** A delivery that this process may attempt until its lease is over. */
export interface Claim {
  readonly notification: string;
  readonly account: string;
  /** This attempt included. */
  readonly attempts: number;
}

/** How deliveries by one channel stand. */
export interface ChannelCounts {
  readonly channel: string;
  readonly waiting: number;
  readonly oldestMs: number | null;
  readonly dead: number;
}

/** A delivery that was given up. */
export interface DeadDelivery {
  readonly notification: string;
  readonly channel: string;
  readonly account: string;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly queuedAt: Date;
  readonly deadAt: Date;
}

const SYNC = [
  { name: 'channels-add', text: 'INSERT INTO notification_channel (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING' },
  { name: 'channels-remove', text: 'DELETE FROM notification_channel WHERE name <> ALL ($1::text[])' },
];
/** Several processes claim at once: each takes what no other holds, and a lease that ran out is anybody's. */
const CLAIM = {
  name: 'delivery-claim',
  text: `
  UPDATE notification_delivery SET attempts = attempts + 1, next_at = clock_timestamp() + make_interval(secs => $2::float8 / 1000)
  WHERE (notification, channel) IN (
    SELECT notification, channel FROM notification_delivery
    WHERE channel = $1 AND delivered_at IS NULL AND dead_at IS NULL AND next_at <= clock_timestamp()
    ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED)
  RETURNING notification, account, attempts`,
};
/** Whoever's attempt it was, and whatever became of the lease: the receiver has it. */
const ACKNOWLEDGED = {
  name: 'delivery-acknowledged',
  text: 'UPDATE notification_delivery SET delivered_at = clock_timestamp(), dead_at = NULL, last_error = NULL WHERE notification = $1 AND channel = $2 AND delivered_at IS NULL',
};
const FAILED = {
  name: 'delivery-failed',
  text: `UPDATE notification_delivery SET last_error = $4, next_at = clock_timestamp() + make_interval(secs => $5::float8 / 1000),
           dead_at = CASE WHEN $6 THEN clock_timestamp() END
         WHERE notification = $1 AND channel = $2 AND attempts = $3 AND delivered_at IS NULL AND dead_at IS NULL`,
};
const SKIPPED = { name: 'delivery-skipped', text: 'DELETE FROM notification_delivery WHERE notification = $1 AND channel = $2 AND delivered_at IS NULL' };
/** A channel in use shows with zeros too, so that what was said of it before does not stay. */
const COUNTS = {
  name: 'delivery-counts',
  text: `
  WITH open AS (
    SELECT channel, count(*) FILTER (WHERE dead_at IS NULL)::int AS waiting, count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead,
           (extract(epoch FROM clock_timestamp() - min(queued_at) FILTER (WHERE dead_at IS NULL)) * 1000)::float8 AS oldest
    FROM notification_delivery WHERE delivered_at IS NULL AND dead_at IS NULL OR dead_at IS NOT NULL GROUP BY channel)
  SELECT coalesce(name, channel) AS channel, coalesce(waiting, 0) AS waiting, oldest AS "oldestMs", coalesce(dead, 0) AS dead
  FROM notification_channel FULL JOIN open ON name = channel ORDER BY 1`,
};
const DEAD = {
  name: 'delivery-dead',
  text: `SELECT notification, channel, account, attempts, last_error AS "lastError", queued_at AS "queuedAt", dead_at AS "deadAt" FROM notification_delivery
         WHERE dead_at IS NOT NULL AND (notification, channel) > ($1::uuid, $2) ORDER BY notification, channel LIMIT $3`,
};
const RETRY = {
  name: 'delivery-retry',
  text: 'UPDATE notification_delivery SET dead_at = NULL, attempts = 0, next_at = clock_timestamp() WHERE notification = $1 AND dead_at IS NOT NULL RETURNING channel',
};

/** The deliveries of this region's own accounts: one row per notification and channel, kept when it is done. */
export class DeliveryQueue {
  constructor(private readonly database: Database) {}

  /** From now on what is told is queued for these channels. What waits for another one goes on waiting, and shows. */
  async use(channels: readonly string[]): Promise<void> {
    for (const statement of SYNC) await this.database.write(statement, [channels]);
  }

  claim(channel: string, leaseMs: number, limit: number): Promise<Claim[]> {
    return this.database.write<Claim>(CLAIM, [channel, leaseMs, limit]);
  }

  async acknowledged(channel: string, { notification }: Claim): Promise<void> {
    await this.database.write(ACKNOWLEDGED, [notification, channel]);
  }

  /** @param again how long it waits; undefined where it is given up */
  async failed(channel: string, { notification, attempts }: Claim, why: string, againMs: number | undefined): Promise<void> {
    await this.database.write(FAILED, [notification, channel, attempts, why, againMs ?? 0, againMs === undefined]);
  }

  /** The channel can't reach this account at all: nothing to deliver. */
  async skipped(channel: string, { notification }: Claim): Promise<void> {
    await this.database.write(SKIPPED, [notification, channel]);
  }

  counts(): Promise<ChannelCounts[]> {
    return this.database.query<ChannelCounts>(COUNTS);
  }

  /** @param after `<notification>:<channel>` of the last one seen */
  async dead(limit: number, after: string | undefined): Promise<Page<DeadDelivery>> {
    const [notification, channel] = after?.split(':') ?? ['00000000-0000-0000-0000-000000000000', ''];
    const items = await this.database.query<DeadDelivery>(DEAD, [notification, channel, limit]);
    const last = items.at(-1);
    return { items, next: last === undefined || items.length < limit ? null : `${last.notification}:${last.channel}` };
  }

  /** Begins anew with what was given up of one notification. @returns the channels */
  async retry(notification: string): Promise<string[]> {
    return (await this.database.write<{ channel: string }>(RETRY, [notification])).map(({ channel }) => channel);
  }
}
