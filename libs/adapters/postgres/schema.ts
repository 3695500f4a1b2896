import type { DataSource } from 'typeorm';

/** Any fixed number: the lock under which one process of a region migrates. */
const MIGRATION_LOCK = 7_204_611;

/**
 * Brings the schema up to date and makes sure that the database is this region's own. Several processes may start at
 * once: one migrates, the others wait for it (TypeORM itself takes no lock).
 */
export async function prepareSchema(source: DataSource, own: { region: string }): Promise<void> {
  const lock = source.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await source.runMigrations();
    await lock.query('INSERT INTO this_region (name) VALUES ($1) ON CONFLICT DO NOTHING', [own.region]);
    const [row] = (await lock.query('SELECT name FROM this_region')) as { name: string }[];
    if (row?.name !== own.region) throw new WrongRegionError(own.region, row?.name ?? 'nobody');
    await lock.query('SELECT guard_published_tables()');
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined);
    await lock.release();
  }
}

/** HOMEWARD_DATABASE_URL points at another region's database: serving from it would break "one writer per row". */
export class WrongRegionError extends Error {
  constructor(
    readonly configured: string,
    readonly found: string,
  ) {
    super(`this database belongs to region ${found}, but HOMEWARD_REGION is ${configured}`);
    this.name = 'WrongRegionError';
  }
}
