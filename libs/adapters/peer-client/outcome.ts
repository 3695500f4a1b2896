/**
 * What became of a call to a peer. Three outcomes, all to be handled (etcd's robustness tests, "unknown is its own outcome"):
 * - `answered`: the peer said something, a refusal included;
 * - `not-sent`: certainly not done, since nothing of it left this region;
 * - `unknown`: sent and not answered; it may have been done, or may still be, up to its deadline.
 */
export type PeerOutcome<T> =
  | { readonly kind: 'answered'; readonly status: number; readonly body: T }
  | { readonly kind: 'not-sent'; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** Reads and writes trip separate breakers: a peer whose database is full still answers reads. */
export type CallKind = 'read' | 'write';
