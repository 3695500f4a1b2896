/** The tables that every region publishes, in the order in which they are copied: no foreign keys lie between them. */
export const PUBLISHED_TABLES: readonly string[] = [
  'password', 'profile', 'ended_session', 'signout', 'heartbeat', 'stream_applied',
  'posting', 'balance', 'transfer_request', 'transfer_decision', 'transfer_credit', 'voucher', 'voucher_redemption', 'redeem_request',
  'notification', 'notification_read', 'announcement', 'announcement_act', 'incident', 'incident_account',
];

/** First word of everything that this adapter makes in a server, so that leftovers are recognised. */
export const PREFIX = 'homeward_';

/** The publication of `region`, in its own server. */
export const publicationOf = (region: string): string => `${PREFIX}${region}`;

/** The subscription to `peer`, in the own server. */
export const subscriptionFrom = (peer: string): string => `${PREFIX}from_${peer}`;

/**
 * The slot in `writer`'s server that `reader` reads: slots know only a-z, 0-9 and _. A reader is named with its incarnation
 * (`serverNameOf`), so that one which was lost and comes back never takes the slot of its successor.
 */
export const slotOf = (writer: string, reader: string): string => `${PREFIX}${writer}_to_${reader}`.replaceAll('-', '_').replaceAll('.', '__');

/** The role in the own server as which `peer` comes. */
export const roleOf = (peer: string): string => `peer_${peer}`;

/** An SQL identifier, quoted. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** An SQL string, quoted; standard_conforming_strings is assumed, the default since 9.1. */
export const literal = (text: string): string => (text.includes('\\') ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`);
