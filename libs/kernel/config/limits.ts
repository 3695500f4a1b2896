/**
 * Every deadline, bound and interval of the service, with its reason, and how they relate. Other modules take theirs from
 * here; what only one adapter knows of stands at the top of that adapter.
 */
export const limits = {
  /** One budget for a client's read, all its attempts included (design, rule 5). */
  readBudgetMs: 1_000,
  /** One budget for a client's forwarded write, hashing at the home included (design, rule 5). */
  writeBudgetMs: 3_000,
  /** How often a region says that it lives, on every channel (design, rule 5). */
  heartbeatIntervalMs: 250,
  /** A heartbeat older than this proves nothing: no forwarded write, no `assurance: full` (design, rules 5 and 8). */
  heartbeatFreshMs: 1_000,
  /** Failures in a row that open the breaker of a peer and kind (contract, "What works when"). */
  breakerFailures: 3,
  /** Calls of one kind under way to one peer at once; a peer that accepts and never answers must not hold more of us (faults, 6). */
  peerCallsAtOnce: 64,
  /** Calls waiting for a place among them, out of their own budget; the rest is refused at once. */
  peerCallsWaiting: 64,
  /** An idle pooled connection older than this may be dead after a cut (recovery, "HTTP between regions"). */
  peerIdleSocketMs: 1_000,
  /** How long a read waits for replication before it asks the writer (contract, consistency tokens). */
  replicationWaitMs: 200,
  /** Longest wait for a connection of the own PostgreSQL's pool. */
  databaseConnectMs: 1_000,
  /** Longest statement of a request; the client's clock, so a frozen server counts too. */
  databaseStatementMs: 2_500,
  /** Longest statement of a batch job (applying events, trimming). */
  databaseBatchMs: 15_000,
  /** Connections to the own PostgreSQL: more than two cores can use, few enough for a small server. */
  databasePool: 20,
  /** Largest request body (contract, "Form"). */
  bodyBytes: 64 * 1_024,
  /** Largest headers; beyond it the answer is 431. */
  headerBytes: 16 * 1_024,
  /** Most headers of a request: three times what a browser behind two proxies sends. */
  headerCount: 100,
  /** A client that has not sent its whole request, or not ended its handshake, by then is cut off. */
  requestReceiveMs: 10_000,
  /** How long a connection may lie idle between two requests: longer than the minute that load balancers keep theirs. */
  idleConnectionMs: 65_000,
  /** Connections of one listener at once: well below the open files that a service may have (20,000 on common machines). */
  connectionsAtOnce: 4_096,
  /** Those from one address where no proxy stands before them: a crowd's, and a quarter of all, so that one flood leaves room for others. */
  connectionsPerAddress: 1_024,
  /** Requests on one peer connection before it is made anew, so that a renewed certificate is seen within minutes. */
  peerRequestsPerConnection: 1_000,
  /** A certificate that expires sooner than this is announced (faults, 31). */
  certificateNoticeMs: 14 * 24 * 3_600_000,
  /** A session's life, not sliding. */
  sessionLifeMs: 30 * 24 * 3_600_000,
  /** How long the first answer to an idempotency key is kept (contract, "Idempotency"). */
  idempotencyLifeMs: 24 * 3_600_000,
  /** How long a stop waits for requests in flight: a forwarded write's budget and a little more. */
  stopGraceMs: 5_000,
  /** Clock skew between regions from which it is reported (design, rule 2). */
  skewReportedMs: 500,
} as const;

/** How the bounds relate; a change that breaks one of these breaks a promise. Guarded by test/unit/config/limits.spec.ts. */
export function assertLimits(all: typeof limits = limits): void {
  const holds: [boolean, string][] = [
    [all.heartbeatFreshMs >= 3 * all.heartbeatIntervalMs, 'one lost heartbeat must not open a breaker'],
    [all.readBudgetMs <= all.writeBudgetMs, 'a read is not waited for longer than a write'],
    [all.replicationWaitMs < all.readBudgetMs, 'the wait for replication leaves time for the second read'],
    [all.databaseStatementMs < all.writeBudgetMs, 'a statement ends before the budget of the write that sent it'],
    [all.stopGraceMs > all.writeBudgetMs, 'a stop lets a forwarded write end'],
    [4 * all.connectionsPerAddress <= all.connectionsAtOnce, 'one address does not take the connections of all'],
  ];
  for (const [held, why] of holds) if (!held) throw new Error(`limits disagree: ${why}`);
}
