import type { Logger } from 'pino';
import { identifier, literal, publicationOf, roleOf } from './names.js';
import type { OwnDatabase, OwnTransaction } from './own-database.js';

/** The own publication after a comparison. */
export type PublicationState =
  | { readonly state: 'unknown' | 'ready' }
  | { readonly state: 'paused'; readonly cause: string; readonly detail: string };

interface Published {
  readonly table: string;
  readonly filter: string | null;
  readonly columns: boolean;
}

const locked = 'SELECT pg_try_advisory_xact_lock(4857, hashtext($1)) AS mine';
const seenSql = `
  SELECT p.puballtables OR p.pubtruncate OR p.pubviaroot OR NOT (p.pubinsert AND p.pubupdate AND p.pubdelete)
      OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid) AS odd,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('table', format('%s.%s', c.relnamespace::regnamespace, c.relname),
       'filter', pg_get_expr(r.prqual, r.prrelid), 'columns', r.prattrs IS NOT NULL)), '[]')
     FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid WHERE r.prpubid = p.oid) AS tables
  FROM pg_publication p WHERE p.pubname = $1`;
const missingSql = `SELECT t FROM unnest($1::text[]) t WHERE to_regclass(format('public.%I', t)) IS NULL`;
const grantsSql = `
  SELECT r.rolname AS role FROM pg_roles r WHERE r.rolname = ANY ($1) AND (NOT has_schema_privilege(r.oid, 'public', 'USAGE')
    OR EXISTS (SELECT FROM unnest($2::text[]) t WHERE NOT has_table_privilege(r.oid, format('public.%I', t)::regclass, 'SELECT')))`;

/**
 * Compares this region's publication with what it should be and mends it, the peers' right to read included. A publication
 * that differs is made anew rather than altered: rows that the old one left out are lost to its readers, and its new oid
 * tells them to copy again.
 * @throws where the own database can not be asked; the caller tries again
 */
export class OwnPublication {
  constructor(
    private readonly options: { region: string; peers: readonly string[]; tables: readonly string[]; database: OwnDatabase; logger: Logger },
  ) {}

  async mend(): Promise<PublicationState> {
    const { database, tables } = this.options;
    const missing = await database.query<{ t: string }>(missingSql, [tables]);
    if (missing.length > 0) {
      const names = missing.map(({ t }) => t).join(', ');
      return { state: 'paused', cause: 'schema-differs', detail: `schema-differs: the own database has no table ${names}` };
    }
    if (!(await this.isRight(database))) await database.transact((tx) => this.remake(tx));
    await this.grant();
    return { state: 'ready' };
  }

  private async isRight(on: OwnTransaction): Promise<boolean> {
    const [seen] = await on.query<{ odd: boolean; tables: Published[] }>(seenSql, [publicationOf(this.options.region)]);
    if (seen === undefined || seen.odd || seen.tables.length !== this.options.tables.length) return false;
    return seen.tables.every(({ table, filter, columns }) => !columns && this.isOwnRows(filter) && this.options.tables.some((name) => table === `public.${name}`));
  }

  /** The server writes a filter back in its own words: `(region = 'east'::text)`. */
  private isOwnRows(filter: string | null): boolean {
    return filter !== null && filter.replaceAll(/[()\s]|::text/g, '') === `region='${this.options.region}'`;
  }

  private async remake(tx: OwnTransaction): Promise<void> {
    const name = publicationOf(this.options.region);
    const [lock] = await tx.query<{ mine: boolean }>(locked, [`publication ${name}`]);
    if (!lock!.mine || (await this.isRight(tx))) return;
    const tables = this.options.tables.map((table) => `public.${identifier(table)} WHERE (region = ${literal(this.options.region)})`);
    await tx.query(`DROP PUBLICATION IF EXISTS ${identifier(name)}`);
    await tx.query(`CREATE PUBLICATION ${identifier(name)} FOR TABLE ${tables.join(', ')} WITH (publish = 'insert, update, delete')`);
    if (!(await this.isRight(tx))) throw new Error(`the server does not make publication ${name} as it was asked to`);
    this.options.logger.info({ publication: name, tables: this.options.tables }, 'the publication was made');
  }

  private async grant(): Promise<void> {
    const { database, tables, peers, logger } = this.options;
    const needed = await database.query<{ role: string }>(grantsSql, [peers.map(roleOf), tables]);
    for (const { role } of needed) {
      await database.transact(async (tx) => {
        await tx.query(`GRANT USAGE ON SCHEMA public TO ${identifier(role)}`);
        await tx.query(`GRANT SELECT ON ${tables.map((table) => `public.${identifier(table)}`).join(', ')} TO ${identifier(role)}`);
      });
      logger.info({ role }, 'the peer may read the published tables');
    }
  }
}
