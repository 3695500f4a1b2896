import { FIRST_INCARNATION } from '#kernel/ids';
import { isLost, type OwnSeen, type PeerSeen, type SubscriptionSeen } from './inspect.js';
import { identifier, literal, publicationOf, slotOf, subscriptionFrom } from './names.js';
import { schemaDifference } from './schema-difference.js';

/** Why a copy is made, or made again. */
export type RebuildReason =
  | 'first-setup'
  | 'interrupted'
  | 'slot-gone'
  | 'slot-lost'
  | 'slot-differs'
  | 'publication-recreated'
  | 'tables-differ'
  | 'not-ours'
  | 'peer-replaced'
  | 'asked';

/** Why nothing can be done yet; it goes on by itself, but for `peer-replaced`. */
export type WaitCause = 'peer-not-ready' | 'schema-differs' | 'peer-replaced';

export type Step =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'wait'; readonly cause: WaitCause; readonly detail: string; readonly mend?: string }
  | { readonly kind: 'alter'; readonly what: string; readonly statements: readonly string[] }
  | { readonly kind: 'rebuild'; readonly reason: RebuildReason };

export interface Wanted {
  /** This region with its incarnation, as its slots name it. */
  readonly reader: string;
  readonly peer: string;
  readonly peerIncarnation: number;
  readonly conninfo: string;
  readonly tables: readonly string[];
}

/** What the own server alone shows to be wrong; needs no peer, so a peer that is down delays nothing of it. */
export function decideHere(own: OwnSeen, wanted: Wanted): Step {
  const name = identifier(subscriptionFrom(wanted.peer));
  const { subscription } = own;
  if (subscription === null || subscription.slot === null) return { kind: 'nothing' };
  if (subscription.conninfo !== wanted.conninfo) {
    return { kind: 'alter', what: 'connection', statements: [`ALTER SUBSCRIPTION ${name} CONNECTION ${literal(wanted.conninfo)}`] };
  }
  if (!hasOptions(subscription)) return { kind: 'alter', what: 'options', statements: [`ALTER SUBSCRIPTION ${name} SET (${subscriptionOptions})`] };
  if (!subscription.enabled) return { kind: 'alter', what: 'enabled', statements: [`ALTER SUBSCRIPTION ${name} ENABLE`] };
  return { kind: 'nothing' };
}

/** The one step that brings this pair nearer to what is wanted, given an answer of the peer's server. Pure. */
export function decideWithPeer(own: OwnSeen, peer: PeerSeen, wanted: Wanted): Step {
  const { subscription } = own;
  const known = subscription?.note?.system;
  const rebuilt = wanted.peerIncarnation > (subscription?.note?.incarnation ?? FIRST_INCARNATION);
  if (known !== undefined && known !== peer.system && subscription?.note?.asked !== true && !rebuilt) return replaced(wanted.peer);
  if (peer.publication === null) return { kind: 'wait', cause: 'peer-not-ready', detail: `${wanted.peer} has no publication ${publicationOf(wanted.peer)} yet` };
  if (peer.unreadable.length > 0) return { kind: 'wait', cause: 'peer-not-ready', detail: `${wanted.peer} does not let us read ${peer.unreadable.join(', ')} yet` };

  const difference = schemaDifference({ tables: peer.publication.tables, schema: peer.schema }, own.schema, wanted.tables);
  if (difference.here.length > 0) return differs(difference.here);
  const reason = rebuildReason(subscription, peer, wanted);
  const first = subscription === null || subscription.note?.system === undefined;
  if (difference.there.length > 0 && (first || reason === undefined)) return differs(difference.there);
  return reason === undefined ? { kind: 'nothing' } : { kind: 'rebuild', reason };
}

function rebuildReason(subscription: SubscriptionSeen | null, peer: PeerSeen, wanted: Wanted): RebuildReason | undefined {
  if (subscription === null) return 'first-setup';
  if (subscription.note === null) return 'not-ours';
  if (subscription.note.system !== undefined && subscription.note.system !== peer.system) return 'peer-replaced';
  if (subscription.slot === null) return subscription.note.system === undefined ? 'first-setup' : 'interrupted';
  if (subscription.note.asked === true) return 'asked';
  if (subscription.slot !== slotOf(wanted.peer, wanted.reader) || subscription.publications.join() !== publicationOf(wanted.peer)) return 'slot-differs';
  if (peer.slot === null) return 'slot-gone';
  if (isLost(peer.slot)) return 'slot-lost';
  if (subscription.note.publication !== peer.publication!.oid) return 'publication-recreated';
  if (subscription.tables.join() !== peer.publication!.tables.join()) return 'tables-differ';
  return undefined;
}

/**
 * A server that isn't the one copied from: most likely a region that lost its disks, and the rows here are then the last
 * ones of it. Copying its emptiness would destroy them, so this one step waits for a word.
 */
function replaced(peer: string): Step {
  return {
    kind: 'wait',
    cause: 'peer-replaced',
    detail: `the server of ${peer} is another one than before; its rows here are kept as they are`,
    mend: `npm run regions -- rebuild ${peer}, and its rows are copied by themselves; where that server has them all, POST /ops/copies {"peer": "${peer}"}`,
  };
}

const differs = (differences: readonly string[]): Step => ({
  kind: 'wait',
  cause: 'schema-differs',
  detail: `schema-differs: ${differences.join('; ')}`,
  mend: 'bring both regions to the same version; replication then goes on by itself',
});

/**
 * origin = none: only what the peer itself wrote. streaming on: a large transaction is stored here as it comes and applied from there when it has
 * committed, so that a peer which hears nothing meanwhile and hangs up does not make it begin anew for ever (docs/decisions/0019).
 * disable_on_error off: it would disable the subscription for good at any cut (recovery, "PostgreSQL").
 */
export const subscriptionOptions = 'origin = none, streaming = on, binary = false, disable_on_error = false, password_required = false';

function hasOptions({ options }: SubscriptionSeen): boolean {
  return options.origin === 'none' && !options.disableOnError && !options.passwordRequired && options.streaming === 't' && !options.binary;
}
