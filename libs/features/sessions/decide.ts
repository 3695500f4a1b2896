/** What a session knew when it was made, or when it was last re-stamped. */
export interface SessionFacts {
  /** The account's credential epoch. */
  epoch: number;
  /** The sign-out-everywhere counter of each region; a region that is absent stood at 0. */
  counters: Record<string, number>;
  /** base64url of the session's hash. */
  hashB64: string;
}

/** What is known here now about the session and its account. */
export interface KnownFacts {
  epoch: number;
  /** base64url of the hash of the one session that the newest epoch spares: that which asked for the new password. */
  keep?: string;
  counters: Record<string, number>;
  /** Whether this very session was signed out. */
  ended: boolean;
}

/**
 * Whether a session is good: it wasn't signed out, no region's sign-out-everywhere counter is higher than the session knew, and its epoch isn't older
 * than the account's, unless the newest epoch spares it. Epochs and counters are compared, never times of two regions (design.md, rule 7).
 */
export function sessionStillGood(session: SessionFacts, known: KnownFacts): boolean {
  if (known.ended) return false;
  for (const region of Object.keys(known.counters)) {
    if (counterOf(known.counters, region) > counterOf(session.counters, region)) return false;
  }
  return session.epoch >= known.epoch || known.keep === session.hashB64;
}

/** Own members only: `constructor` is a legal name of a region, and an inherited function compares false with every number. */
function counterOf(counters: Record<string, number>, region: string): number {
  return Object.hasOwn(counters, region) ? counters[region]! : 0;
}
