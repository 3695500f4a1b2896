import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RedisStore } from '#adapters/redis';
import type { Clock } from '#kernel/clock';
import { InvalidCredentialsError, TooManyAttemptsError } from '#kernel/problems';
import { AttemptGate } from './attempt-gate.js';
import { AttemptKeys, addressKey } from './keys.js';
import { KnownAddresses } from './known-addresses.js';

/** The window of all counts (contract, "Attempts"). */
const WINDOW_SECONDS = 600;
/** So many addresses' worth of failures of one identifier, from addresses not known for it, slow all of those. */
const SLOWED_AFTER_ADDRESSES = 5;
/** While slowed, all addresses not known for the identifier share one attempt in this time: slowed, never locked. */
const TRICKLE_SECONDS = 5;

/** Who tries: a normalised identifier (or an account id) and the client's address. */
export interface Caller {
  readonly identifier: string;
  readonly address: string;
}

interface Keys {
  readonly identifier: string;
  readonly address: string;
  readonly pair: string;
}

/**
 * Counts wrong passwords in the region that was asked, in Redis, and in memory while Redis is gone. Only 401s count.
 * Keys are keyed hashes of identifiers.
 */
export class Attempts {
  private readonly gate = new AttemptGate();
  private readonly keys: AttemptKeys;
  private readonly known: KnownAddresses;
  private readonly perPair: RateLimiterRedis;
  private readonly perAddress: RateLimiterRedis;
  private readonly perIdentifier: RateLimiterRedis;
  private readonly trickle: RateLimiterRedis;
  private readonly slowedAfter: number;

  constructor(
    redis: RedisStore,
    private readonly clock: Pick<Clock, 'wallMs'>,
    options: {
      /** Failures of one identifier from one address in 10 minutes. */
      perIdentifier: number;
      /** Failures from one address in 10 minutes. */
      perAddress: number;
      /** Shared by the processes of the region, for the keys. */
      secret: string;
    },
  ) {
    this.keys = new AttemptKeys(options.secret);
    this.known = new KnownAddresses(redis);
    this.perPair = limiter(redis, 'tp', options.perIdentifier, WINDOW_SECONDS);
    this.perAddress = limiter(redis, 'ta', options.perAddress, WINDOW_SECONDS);
    this.slowedAfter = SLOWED_AFTER_ADDRESSES * options.perIdentifier;
    this.perIdentifier = limiter(redis, 'ti', this.slowedAfter, WINDOW_SECONDS);
    this.trickle = limiter(redis, 'tt', 1, TRICKLE_SECONDS);
  }

  /**
   * Runs one attempt: lets it begin only while it may fail without going over a limit, counts it when it ends in
   * InvalidCredentialsError, remembers the address when it ends well. A burst of one identifier from one address, and one
   * of one address, waits for its own outcomes.
   * @param attempt gets whether the address signed in with this identifier before
   * @throws TooManyAttemptsError, OverloadedError; what `attempt` throws
   */
  async guard<T>(caller: Caller, attempt: (known: boolean) => Promise<T>): Promise<T> {
    const keys = this.keysOf(caller);
    const endPair = await this.gate.enter(keys.pair, () => remaining(this.perPair, keys.pair));
    try {
      const endAddress = await this.gate.enter(keys.address, () => remaining(this.perAddress, keys.address));
      try {
        return await this.attempted(caller, keys, attempt);
      } finally {
        endAddress();
      }
    } finally {
      endPair();
    }
  }

  private async attempted<T>(caller: Caller, keys: Keys, attempt: (known: boolean) => Promise<T>): Promise<T> {
    try {
      const known = await this.isKnown(caller);
      if (!known) await this.passUnlessSlowed(keys.identifier);
      const result = await attempt(known);
      await this.succeeded(caller);
      return result;
    } catch (error) {
      if (error instanceof InvalidCredentialsError) await this.failed(caller);
      throw error;
    }
  }

  private async failed(caller: Caller): Promise<void> {
    const keys = this.keysOf(caller);
    const counting = [this.perPair.penalty(keys.pair), this.perAddress.penalty(keys.address)];
    if (!(await this.isKnown(caller))) counting.push(this.perIdentifier.penalty(keys.identifier));
    await Promise.all(counting);
  }

  /** Remembers the address for the identifier. Counts stay: they are of wrong passwords only. */
  private async succeeded(caller: Caller): Promise<void> {
    const { identifier, address } = this.keysOf(caller);
    await this.known.remember(identifier, address, this.clock.wallMs());
  }

  /** Whether the address signed in with this identifier before; false where Redis can not tell. */
  private isKnown(caller: Caller): Promise<boolean> {
    const { identifier, address } = this.keysOf(caller);
    return this.known.has(identifier, address, this.clock.wallMs());
  }

  /** Addresses not known for an identifier that is attacked from many share one attempt in a while. @throws TooManyAttemptsError */
  private async passUnlessSlowed(identifierKey: string): Promise<void> {
    const counted = await this.perIdentifier.get(identifierKey);
    if (counted === null || counted.consumedPoints < this.slowedAfter) return;
    try {
      await this.trickle.consume(identifierKey);
    } catch (error) {
      throw error instanceof RateLimiterRes ? new TooManyAttemptsError(error.msBeforeNext / 1_000) : error;
    }
  }

  private keysOf({ identifier, address }: Caller): Keys {
    const keys = { identifier: this.keys.identifier(identifier), address: addressKey(address) };
    return { ...keys, pair: `${keys.identifier}:${keys.address}` };
  }
}

/** How many failures are left. @throws TooManyAttemptsError when none */
async function remaining(limiter: RateLimiterRedis, key: string): Promise<number> {
  const counted = await limiter.get(key);
  if (counted === null) return limiter.points;
  if (counted.consumedPoints >= limiter.points) throw new TooManyAttemptsError(counted.msBeforeNext / 1_000);
  return limiter.points - counted.consumedPoints;
}

function limiter(redis: RedisStore, keyPrefix: string, points: number, duration: number): RateLimiterRedis {
  return new RateLimiterRedis({
    storeClient: redis.client,
    keyPrefix,
    points,
    duration,
    rejectIfRedisNotReady: true,
    insuranceLimiter: new RateLimiterMemory({ keyPrefix, points, duration }),
  });
}
