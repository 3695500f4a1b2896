import type { RedisStore } from '#adapters/redis';

/** How long an address stays known without a sign-in. */
const LIFE_MS = 90 * 24 * 3_600_000;
/** Addresses remembered per identifier: the newest ones. */
const KEPT = 16;
/** `k:<identifier>` is a sorted set of addresses by the time of their last sign-in. */
const PREFIX = 'k:';

/** The addresses from which an identifier signed in before. Bookkeeping: without Redis nobody is known, and that is all. */
export class KnownAddresses {
  constructor(private readonly redis: RedisStore) {}

  async has(identifierKey: string, addressKey: string, nowMs: number): Promise<boolean> {
    const lastMs = await this.redis.ask((client) => client.zscore(PREFIX + identifierKey, addressKey)).catch(() => null);
    return lastMs !== null && Number(lastMs) > nowMs - LIFE_MS;
  }

  async remember(identifierKey: string, addressKey: string, nowMs: number): Promise<void> {
    const key = PREFIX + identifierKey;
    await this.redis
      .ask((client) => client.multi().zadd(key, nowMs, addressKey).zremrangebyrank(key, 0, -KEPT - 1).pexpire(key, LIFE_MS).exec())
      .catch(() => undefined);
  }
}
