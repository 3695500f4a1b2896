import { base64UrlText, isoText } from '#adapters/postgres';
import { type Column, PUBLISHED_TABLES, type Schema, identifier, keyColumns, literal } from '#adapters/replication';

/** By what a table's rows reach the other regions: what must have been applied here before one of them counts as missing. */
export type Way = 'database' | 'streams';

/**
 * Where the rows of one owner stand, at the owner or in the copy: parts of statements with the table as `t` and the owner as
 * `$1`. Both sides answer the same `row` for the same content.
 */
export interface Source {
  /** Begins with FROM, ends inside a WHERE: all rows of the owner. */
  readonly scan: string;
  /** The same for a row whose key is known: a copy that was altered may no longer look like its owner's. */
  readonly lookup: string;
  /** The primary key's columns in their order. */
  readonly key: readonly Pick<Column, 'name' | 'type'>[];
  /** Columns of the key in whose order pages are read, alike in every server: no text, whose order is the server's own. */
  readonly range: readonly Pick<Column, 'name' | 'type'>[];
  readonly slot: string;
  /** The compared columns as one text. */
  readonly row: string;
  /** What a repair takes, as JSON text. */
  readonly value: string;
}

/**
 * Published tables that are not compared, nor found again at peers after a loss: `heartbeat` is the marker of the comparison itself and changes four times a second,
 * `stream_applied` moves with every event and is told again by every answer on the peer listener.
 */
const NOT_COMPARED = new Set(['heartbeat', 'stream_applied']);
export const COMPARED_PUBLISHED: readonly string[] = PUBLISHED_TABLES.filter((table) => !NOT_COMPARED.has(table));
/** What Kafka carries: accounts by home, and epochs against the password rows of the home. */
const CARRIED = ['account', 'credential_epoch'] as const;
type Carried = (typeof CARRIED)[number];

/** In the order in which they are compared and repaired. */
export const COMPARED_TABLES: readonly string[] = [...CARRIED, ...COMPARED_PUBLISHED];

const ID = [{ name: 'id', type: 'uuid' }];
const ACCOUNT = [{ name: 'account', type: 'uuid' }];
/** A copy has milliseconds, as the event had. */
const ACCOUNT_ROW = 'ROW(t.id, t.identifier, t.normalization, t.slot, t.home, floor(extract(epoch FROM t.created_at) * 1000))::text';
const ACCOUNT_VALUE = `json_build_object('id', t.id, 'identifier', t.identifier, 'normalization', t.normalization, 'slot', t.slot, 'home', t.home,
  'createdAt', ${isoText('t.created_at')})::text`;
const EPOCH = {
  key: ACCOUNT,
  range: ACCOUNT,
  row: 'ROW(t.account, t.epoch, t.keep_session)::text',
  value: `json_strip_nulls(json_build_object('account', t.account, 'epoch', t.epoch, 'keep', ${base64UrlText('t.keep_session')}))::text`,
};

const OWNERS: Record<Carried, Source> = {
  account: { scan: 'FROM account t WHERE t.home = $1', lookup: 'FROM account t WHERE t.home = $1', key: ID, range: ID, slot: 't.slot', row: ACCOUNT_ROW, value: ACCOUNT_VALUE },
  credential_epoch: { scan: 'FROM password t WHERE t.region = $1', lookup: 'FROM password t WHERE t.region = $1', slot: 't.slot', ...EPOCH },
};
const COPIES: Record<Carried, Source> = {
  account: { ...OWNERS.account, lookup: 'FROM account t WHERE $1::text IS NOT NULL' },
  credential_epoch: {
    // An epoch whose account is not here may be anybody's: every peer is asked, and it is surplus where none of them knows it.
    scan: 'FROM credential_epoch t LEFT JOIN account a ON a.id = t.account WHERE (a.home = $1 OR a.id IS NULL)',
    lookup: 'FROM credential_epoch t LEFT JOIN account a ON a.id = t.account WHERE $1::text IS NOT NULL',
    slot: 'coalesce(a.slot, -1)',
    ...EPOCH,
  },
};

/** The rows of `table` as their owner has them, in its own database. @param columns of a published table, those that both sides have */
export const ownersSource = (table: string, columns: readonly Column[]): Source => (isCarried(table) ? OWNERS[table] : published(table, columns));

/** The rows of `table` as a copy of them has them. */
export const copySource = (table: string, columns: readonly Column[]): Source => (isCarried(table) ? COPIES[table] : published(table, columns));

/** What must have been applied here before a row of this table can be judged. */
export function waysOf(table: string): readonly Way[] {
  if (table === 'account') return ['streams'];
  return table === 'credential_epoch' ? ['streams', 'database'] : ['database'];
}

export const isCarried = (table: string): table is Carried => (CARRIED as readonly string[]).includes(table);

function published(table: string, columns: readonly Column[]): Source {
  const key = keyColumns(columns).map((name) => columns.find((column) => column.name === name)!);
  const ranged = key.slice(1);
  const text = ranged.findIndex(({ type }) => type !== 'uuid' && type !== 'bytea');
  const at = `FROM public.${identifier(table)} t WHERE t.region = $1`;
  const members = columns.map(({ name }) => `${literal(name)}, t.${identifier(name)}::text`);
  return {
    scan: at, lookup: at, key, range: text === -1 ? ranged : ranged.slice(0, text), slot: 't.slot',
    row: `ROW(${columns.map(({ name }) => `t.${identifier(name)}`).join(', ')})::text`,
    value: `json_build_object(${members.join(', ')})::text`,
  };
}

/** Columns that both sides have with the same type; undefined where the keys differ and rows can't be told apart alike. */
export function agreedColumns(mine: Schema[string], theirs: Schema[string]): Column[] | undefined {
  if (keyColumns(mine).join() !== keyColumns(theirs).join()) return undefined;
  const agreed = mine.filter(({ name, type }) => theirs.some((column) => column.name === name && column.type === type));
  return agreed.filter(({ key }) => key !== null).length === keyColumns(mine).length ? agreed : undefined;
}
