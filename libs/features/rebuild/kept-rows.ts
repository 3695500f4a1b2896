import type { Database } from '#adapters/postgres';
import { type Schema, identifier, keyColumns, literal, readSchema } from '#adapters/replication';
import { NotFoundError } from '#kernel/problems';
import { COMPARED_PUBLISHED, reading } from '../audit/index.js';

/** A page of what this region keeps of a peer that lost it: each row as JSON text, every column a text by its name. */
export interface KeptPage {
  readonly rows: readonly string[];
  /** Goes into the next call; null at the end. */
  readonly next: readonly string[] | null;
}

/** Rows of a page: at most some 5 MB where profiles are as large as they may be. */
const PAGE = 500;

/** Begins with FROM, ends inside a WHERE with the lost region as `$1` and this one as `$2`; rows come in the order of `key`. */
interface Kept {
  readonly from: string;
  readonly columns: Readonly<Record<string, string>>;
  readonly key: readonly { readonly column: string; readonly type: string }[];
}

const own = (alias: string, ...names: string[]): Record<string, string> => Object.fromEntries(names.map((name) => [name, `${alias}.${name}`]));

/** What is not published: what came through Kafka, and what of this region's own rows answers rows of the lost one. */
const OTHERS: Readonly<Record<string, Kept>> = {
  account: { from: 'FROM account t WHERE t.home = $1 AND $2::text IS NOT NULL', columns: own('t', 'id', 'identifier', 'normalization', 'slot', 'home', 'created_at'), key: [{ column: 't.id', type: 'uuid' }] },
  credential_epoch: {
    from: 'FROM credential_epoch t JOIN account a ON a.id = t.account WHERE a.home = $1 AND $2::text IS NOT NULL',
    columns: own('t', 'account', 'epoch', 'keep_session'), key: [{ column: 't.account', type: 'uuid' }],
  },
  // Of the payer only the notice to the payee tells.
  credit: {
    from: `FROM posting p JOIN transfer_credit c ON c.region = p.region AND c.id = p.entry
      LEFT JOIN notification n ON n.region = p.region AND n.account = c.payee AND n.kind = 'transfer-received' AND n.subject = p.entry
      WHERE p.region = $2 AND p.book = 'clearing:' || $1 || '>' || $2`,
    columns: { id: 'c.id', payee: 'c.payee', amount: '-p.amount', credited_at: 'c.credited_at', payer: "n.body ->> 'payer'", memo: "n.body ->> 'memo'" },
    key: [{ column: 'c.id', type: 'uuid' }],
  },
  transfer_key: { from: 'FROM transfer_request t WHERE t.region = $2 AND t.home = $1', columns: { payer: 't.payer', key: 't.key', transfer: 't.id' }, key: [{ column: 't.id', type: 'uuid' }] },
};

/** What this region, as a peer of one that lost its disks, has of it: from its own database alone, page by page. */
export class KeptRows {
  private schema: Schema | undefined;

  constructor(
    private readonly database: Database,
    private readonly own: string,
  ) {}

  /** @throws NotFoundError for what is not kept of a peer; DatabaseUnavailableError */
  async page(lost: string, table: string, after: readonly string[] | null): Promise<KeptPage> {
    const { from, columns, key } = await this.kept(table);
    if (after !== null && after.length !== key.length) throw new NotFoundError('That is not what a page gave as next');
    const members = Object.entries(columns).map(([name, value]) => `${literal(name)}, (${value})::text`);
    const order = key.map(({ column }) => column).join(', ');
    const bound = after === null ? '' : `AND (${order}) > (${key.map(({ type }, index) => `$${index + 3}::${type}`).join(', ')})`;
    const text = `SELECT json_build_object(${members.join(', ')})::text AS row, jsonb_build_array(${key.map(({ column }) => `${column}::text`).join(', ')}) AS key ${from} ${bound} ORDER BY ${order} LIMIT ${PAGE}`;
    const rows = await reading(this.database, (tx) => tx.query<{ row: string; key: string[] }>(text, [lost, this.own, ...(after ?? [])]));
    return { rows: rows.map(({ row }) => row), next: rows.length < PAGE ? null : rows.at(-1)!.key };
  }

  private async kept(table: string): Promise<Kept> {
    const other = OTHERS[table];
    if (other !== undefined) return other;
    this.schema ??= await readSchema(this.database, COMPARED_PUBLISHED);
    const columns = this.schema[table];
    if (columns === undefined) throw new NotFoundError('This table is not kept of a peer');
    const key = keyColumns(columns).slice(1).map((name) => ({ column: `t.${identifier(name)}`, type: columns.find((column) => column.name === name)!.type }));
    return { from: `FROM public.${identifier(table)} t WHERE t.region = $1 AND $2::text IS NOT NULL`, columns: Object.fromEntries(columns.map(({ name }) => [name, `t.${identifier(name)}`])), key };
  }
}
