import { publicationOf, slotOf, subscriptionFrom } from './names.js';
import type { OwnTransaction } from './own-database.js';
import type { Session } from './session.js';
import { timings } from './timings.js';

/** One column as both servers must agree on it; `key` is its place in the primary key, null outside it. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly key: number | null;
  /** True where a row can be inserted without naming it. */
  readonly optional: boolean;
}

/** The columns of each table that exists, in their order. */
export type Schema = Readonly<Record<string, readonly Column[]>>;

/** What the peer's server looks like to us. */
export interface PeerSeen {
  /** Its system identifier: another one is another server, whatever its address. */
  readonly system: string;
  readonly publication: { readonly oid: string; readonly tables: readonly string[] } | null;
  /** Published tables that our role may not read yet. */
  readonly unreadable: readonly string[];
  readonly schema: Schema;
  readonly slot: SlotRow | null;
}

/** A row of pg_replication_slots; later versions have more columns, so all may be missing. */
export interface SlotRow {
  readonly active?: boolean;
  readonly active_pid?: number | null;
  readonly wal_status?: string | null;
  readonly invalidation_reason?: string | null;
}

/** What the own server says of the subscription to one peer. */
export interface OwnSeen {
  readonly schema: Schema;
  readonly subscription: SubscriptionSeen | null;
  /** A subscription that a rebuild has replaced and not dropped yet. */
  readonly leftover: boolean;
}

export interface SubscriptionSeen {
  readonly oid: string;
  readonly enabled: boolean;
  readonly conninfo: string;
  /** Null in a placeholder: the copy that it waits for has not been made. */
  readonly slot: string | null;
  readonly publications: readonly string[];
  readonly options: { readonly origin: string; readonly disableOnError: boolean; readonly passwordRequired: boolean; readonly streaming: string; readonly binary: boolean };
  readonly tables: readonly string[];
  /** What the last rebuild wrote into the subscription's comment; null where somebody else made it. */
  readonly note: Note | null;
}

/** Kept as the subscription's comment, so that it survives this process and is there for every process of the region. */
export interface Note {
  /** The peer's system identifier at the last copy; absent before the first. */
  readonly system?: string;
  /** The peer's publication at the last copy: one made anew may have missed rows. */
  readonly publication?: string;
  /** The peer's incarnation at the last copy; absent: the first. */
  readonly incarnation?: number;
  /** Copies made, the first set-up not counted. */
  readonly rebuilds: number;
  /** Why the last one was made, or the one that is due. */
  readonly reason: string;
  /** When it was done, by the own server's clock (ISO); absent while due. */
  readonly at?: string;
  /** Somebody asked for a copy and vouches for the peer's server, whichever it is; forgotten when the copy is done. */
  readonly asked?: boolean;
}

const schemaSql = (tables: string) => `(
  SELECT coalesce(jsonb_object_agg(t.relname, t.columns), '{}') FROM (
    SELECT c.relname, jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'key', array_position(i.indkey::int2[], a.attnum), 'optional', a.atthasdef OR NOT a.attnotnull) ORDER BY a.attnum) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname = ANY (${tables}) GROUP BY c.relname) t)`;

const peerSql = `
  WITH published AS (SELECT tablename::text FROM pg_publication_tables WHERE pubname = $1 AND schemaname = 'public')
  SELECT jsonb_build_object(
    'system', (SELECT system_identifier::text FROM pg_control_system()),
    'publication', (SELECT jsonb_build_object('oid', p.oid::text, 'tables', (SELECT coalesce(jsonb_agg(tablename ORDER BY tablename), '[]') FROM published))
                    FROM pg_publication p WHERE p.pubname = $1),
    'unreadable', (SELECT coalesce(jsonb_agg(tablename), '[]') FROM published WHERE NOT has_table_privilege(format('public.%I', tablename), 'SELECT')),
    'schema', ${schemaSql('ARRAY(SELECT tablename FROM published)')},
    'slot', (SELECT to_jsonb(s) FROM pg_replication_slots s WHERE s.slot_name = $2)) AS seen`;

const ownSql = `
  SELECT jsonb_build_object(
    'schema', ${schemaSql('$2::text[]')},
    'leftover', EXISTS (SELECT FROM pg_subscription WHERE subname = $3 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())),
    'subscription', (SELECT jsonb_build_object('oid', s.oid::text, 'enabled', s.subenabled, 'conninfo', s.subconninfo, 'slot', s.subslotname,
        'publications', to_jsonb(s.subpublications),
        'options', jsonb_build_object('origin', s.suborigin, 'disableOnError', s.subdisableonerr, 'passwordRequired', s.subpasswordrequired,
          'streaming', s.substream, 'binary', s.subbinary),
        'tables', (SELECT coalesce(jsonb_agg(c.relname ORDER BY c.relname), '[]') FROM pg_subscription_rel r JOIN pg_class c ON c.oid = r.srrelid WHERE r.srsubid = s.oid),
        'note', obj_description(s.oid, 'pg_subscription'))
      FROM pg_subscription s WHERE s.subname = $1 AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()))) AS seen`;

/** The columns of tables of the own server, as a comparison of rows with a peer needs them. */
export async function readSchema(on: OwnTransaction, tables: readonly string[]): Promise<Schema> {
  const [row] = await on.query<{ schema: Schema }>(`SELECT ${schemaSql('$1::text[]')} AS schema`, [tables]);
  return row!.schema;
}

/** Asks the peer's server, over the caller's connection, for all that a comparison needs: one question, one answer. */
export async function inspectPeer(session: Session, peer: string, reader: string): Promise<PeerSeen> {
  const [row] = await session.query<{ seen: PeerSeen }>(peerSql, [publicationOf(peer), slotOf(peer, reader)]);
  return row!.seen;
}

/** Asks the own server the same about its side. `tables`: every table that either side may mean. */
export async function inspectOwn(session: Session, peer: string, tables: readonly string[]): Promise<OwnSeen> {
  const [row] = await session.query<{ seen: OwnSeen & { subscription: { note: string | null } | null } }>(ownSql, [subscriptionFrom(peer), tables, replacedBy(peer)], timings.ownQueryMs);
  const { subscription, ...rest } = row!.seen;
  return { ...rest, subscription: subscription === null ? null : { ...subscription, note: parseNote(subscription.note as unknown as string | null) ?? null } };
}

/** The name that a placeholder gets for the moment in which its successor is there already. */
export const replacedBy = (peer: string): string => `homeward_old_${peer}`;

/** Undefined where there is no comment, or one that this adapter didn't write. */
export function parseNote(text: string | null | undefined): Note | undefined {
  try {
    const note = JSON.parse(text ?? 'null') as Partial<Note> | null;
    return typeof note?.rebuilds === 'number' && typeof note.reason === 'string' ? (note as Note) : undefined;
  } catch {
    return undefined;
  }
}

/** Lost: the server has removed WAL that it still needed, and it will never send again. */
export const isLost = (slot: SlotRow): boolean => slot.wal_status === 'lost' || (slot.invalidation_reason ?? null) !== null;
