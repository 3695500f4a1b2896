/** Every interval, deadline and bound of the replication adapter, with its reason. */
export const timings = {
  /** Between two comparisons of what is with what should be: a fault is seen within it, and a quiet pair costs two small queries. */
  compareEveryMs: 1_000,
  /** The same while the next step is due: a peer that has just answered is about to be ready, or a copy is to be made. */
  settleEveryMs: 250,
  /** Between two looks at the apply workers: with the watchdog's limit, a stuck worker is ended after 2.5 s at most. */
  watchEveryMs: 500,
  /** Connecting to a PostgreSQL, TLS and authentication included: four to five round trips. */
  connectMs: 2_000,
  /** Every third connecting in a row is given this, for a link of 400 ms each way that loses packets (faults, 5). */
  connectSlowlyMs: 6_000,
  /** One small question to a peer's PostgreSQL; a connection that an old cut has silenced is thrown away after it. */
  peerQueryMs: 2_500,
  /** One small question to the own PostgreSQL, over the connection that holds the lock. */
  ownQueryMs: 2_500,
  /** One page of a copy: 500 rows of at most 64 KiB. */
  pageMs: 15_000,
  /** Making a slot waits for the transactions that run at the peer at that moment; longer ones make it start again. */
  slotMs: 30_000,
  /** Merging a whole copy is one transaction; measured: 115,000 rows copied and merged in 5 s, first time in 8 s. */
  mergeMs: 600_000,
  /** `CREATE SUBSCRIPTION` asks the peer for its tables from within the server, which knows no deadline of its own there. */
  subscribeMs: 5_000,
  /** First wait after a rebuild that failed; doubles with each failure in a row. */
  rebuildBackoffMs: 500,
  /** Longest wait after failed rebuilds: I3 asks for equality within 5 s of healing. */
  rebuildBackoffMaxMs: 4_000,
  /** An apply worker that is still connecting after this is ended: PostgreSQL has no deadline there (recovery, "PostgreSQL"). */
  workerConnectMs: 2_000,
  /** The same for a worker that has connected and waits for the first answer of the peer, which has no deadline either. */
  workerReceiveMs: 3_000,
  /** A peer that has not answered over HTTP for this was cut off: longer than a slow link that loses a packet or two keeps silent. */
  cutMs: 2_000,
  /** After its return a live connection brings something within this: the peer writes a heartbeat row every 250 ms. */
  backMs: 300,
  /** A worker that has had no message for this is not called streaming: the peer's walsender speaks every 1.5 s, its heartbeat every 250 ms. */
  silenceMs: 4_000,
  /** An apply error counts as present for this long; the worker fails anew every 0.5 to 1 s while the cause is there. */
  errorFreshMs: 4_000,
  /** How long a polite goodbye to a server may take before the socket is destroyed. */
  closeMs: 300,
  /** Rows of one page of a copy: bounds memory here and in the peer. */
  pageRows: 500,
  /** How much of the end of the server's log is read for the cause of an apply error. */
  logTailBytes: 64 * 1_024,
} as const;

/** Sleeps, or wakes at once when `signal` is aborted; never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
