import type { SessionParts } from './session-text.js';

/** A session as its origin tells it. */
export interface OriginSession extends SessionParts {
  /** How long it lives yet, by the origin's Redis. */
  readonly remainingMs: number;
}

/** An origin read ends in exactly one of these; nothing else is thrown. */
export type OriginAnswer = { readonly outcome: 'found'; readonly session: OriginSession } | { readonly outcome: 'missing' } | { readonly outcome: 'unreachable' };

/**
 * The peers as far as sessions need them. Each call has its own deadline. `end` and `raise` only hasten what replication
 * brings anyway; their failures are the caller's to ignore.
 */
export interface SessionPeers {
  read(origin: string, hashB64: string): Promise<OriginAnswer>;
  end(region: string, ending: { hash: string; expiresAtMs: number }): Promise<void>;
  /** Tells that this region's sign-out-everywhere counter of an account stands at `counter`. */
  raise(region: string, ending: { account: string; counter: number }): Promise<void>;
}
