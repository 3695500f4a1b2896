import type { RedisStore } from '#adapters/redis';
import { ACCOUNT_KEY, ADD, END, INDEX_KEY, RAISE, SESSION_KEY } from './scripts.js';
import { ENDED, type SessionParts } from './session-text.js';

/** Sessions looked at by one run of the raising script: about a millisecond of Redis, which serves nobody else meanwhile. */
const RAISE_PAGE = 200;
/** Keys looked at by one step of a scan. */
const SCAN_PAGE = 500;
/** How much longer than any session a tombstone or an account's key may live: clocks of regions differ. */
export const ENDING_SLACK_MS = 24 * 3_600_000;

/** What has ended sessions of an account, as one reader knows it. */
export interface Raised {
  readonly epoch: number;
  /** base64url hash of the session that the epoch spares. */
  readonly keep?: string;
  readonly counters: Record<string, number>;
}

/** What became of adding a session. */
export type Added =
  | { readonly outcome: 'added' | 'present' | 'ended' }
  /** A sign-out everywhere is known here that the session did not know of. */
  | { readonly outcome: 'out-counted'; readonly counters: Record<string, number> };

/** Sessions in the own Redis: see scripts.ts for the keys. Every method throws UnavailableError when Redis can not be asked. */
export class SessionStore {
  constructor(
    readonly redis: RedisStore,
    /** A session's life in ms. */
    private readonly lifeMs: number,
  ) {}

  /** The session's text, ENDED, or null. */
  read(hashB64: string): Promise<string | null> {
    return this.redis.get(SESSION_KEY + hashB64);
  }

  /** The session's text and its remaining life; undefined when it is missing or has ended. */
  async readLife(hashB64: string): Promise<{ text: string; remainingMs: number } | undefined> {
    const [text, remainingMs] = await Promise.all([
      this.redis.get(SESSION_KEY + hashB64),
      this.redis.ask((client) => client.pttl(SESSION_KEY + hashB64)),
    ]);
    return text === null || text === ENDED || remainingMs <= 0 ? undefined : { text, remainingMs };
  }

  /** Adds a session unless it is known to have ended. @param lifeMs at least 1 */
  async add(account: string, hashB64: string, { epoch, home, counters, answer }: SessionParts, lifeMs: number): Promise<Added> {
    const reply = await this.redis.script<number | string>(
      ADD, SESSION_KEY + hashB64, ACCOUNT_KEY + account, INDEX_KEY + account,
      epoch, home, JSON.stringify(counters), answer, Math.ceil(lifeMs), hashB64,
    );
    if (typeof reply === 'string') return { outcome: 'out-counted', counters: JSON.parse(reply) as Record<string, number> };
    return { outcome: reply === 1 ? 'added' : reply === 2 ? 'present' : 'ended' };
  }

  /** Raises what is known of an account and ends its sessions that are not good any more. @returns how many it ended */
  async raise(account: string, { epoch, keep, counters }: Raised): Promise<number> {
    let cursor = '0';
    let ended = 0;
    do {
      const [next, count] = await this.redis.script<[string, number]>(
        RAISE, ACCOUNT_KEY + account, INDEX_KEY + account,
        epoch, keep ?? '', JSON.stringify(counters), this.lifeMs + ENDING_SLACK_MS, cursor, RAISE_PAGE, SESSION_KEY,
      );
      cursor = next;
      ended += count;
    } while (cursor !== '0');
    return ended;
  }

  /** Leaves a tombstone for `remainingMs`, at most a session's life and some slack, and at least as long as the key lives. */
  async end(hashB64: string, remainingMs: number): Promise<void> {
    const bounded = Math.min(Math.max(Math.ceil(remainingMs), 0), this.lifeMs + ENDING_SLACK_MS);
    await this.redis.script(END, SESSION_KEY + hashB64, bounded);
  }

  /** One step over all sessions here, living ones only. @param cursor '0' to begin; the end is a `next` of '0' */
  async scan(cursor: string): Promise<{ next: string; sessions: { hashB64: string; text: string }[] }> {
    const [next, keys] = await this.redis.ask((client) => client.scan(cursor, 'MATCH', `${SESSION_KEY}*`, 'COUNT', SCAN_PAGE));
    if (keys.length === 0) return { next, sessions: [] };
    const texts = await this.redis.ask((client) => client.mget(keys));
    const sessions = keys.flatMap((key, index) => {
      const text = texts[index];
      return text === null || text === undefined || text === ENDED ? [] : [{ hashB64: key.slice(SESSION_KEY.length), text }];
    });
    return { next, sessions };
  }
}
