import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { limits } from '#kernel/config';
import type { Statement, Transaction } from './database.js';

/** Any fixed number: the lock under which one process of a region migrates, and claims a new database. */
const MIGRATION_LOCK = 7_204_611;

/** A new database is made this region's own: what has to be there first, in the transaction that claims it. */
export type Claim = (tx: Transaction) => Promise<void>;

export interface OwnDatabase {
  readonly url: string;
  readonly region: string;
  /** Which one of the region's databases this is: 1, or higher after its disks were lost. */
  readonly incarnation?: number;
  readonly claim?: Claim;
}

/**
 * Brings the schema up to date and makes sure that the database is this region's own. Several processes may start at
 * once: one migrates, the others wait for it (TypeORM itself takes no lock).
 * @returns the database's identity
 * @throws what the claim of a new database throws: it may be tried again
 */
export async function prepareSchema(source: DataSource, own: OwnDatabase): Promise<string> {
  const lock = source.createQueryRunner();
  const { incarnation = 1 } = own;
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await source.runMigrations();
    const [known] = (await lock.query('SELECT name, incarnation FROM this_region')) as { name: string; incarnation: number }[];
    if (known === undefined) await claimNew(own, incarnation);
    else if (known.name !== own.region) throw new WrongRegionError(own.region, known.name);
    else if (known.incarnation !== incarnation) throw new WrongIncarnationError(incarnation, known.incarnation);
    await lock.query('SELECT guard_published_tables()');
    const [{ identity }] = (await lock.query('SELECT identity FROM this_region')) as [{ identity: string }];
    return identity;
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined);
    await lock.release();
  }
}

/** All or nothing: whoever sees that the database is claimed sees everything that its claim brought. Peers are asked meanwhile, and what they have may be much, so nothing here has a time-out. */
async function claimNew({ url, region, claim }: OwnDatabase, incarnation: number): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: limits.databaseConnectMs, keepAlive: true, application_name: `homeward-${region}-claim` });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('INSERT INTO this_region (name, incarnation) VALUES ($1, $2)', [region, incarnation]);
    await claim?.({ query: async <R>(statement: Statement | string, values: unknown[] = []) => (await client.query(typeof statement === 'string' ? statement : statement.text, values)).rows as R[] });
    await client.query('COMMIT');
  } finally {
    // Without its COMMIT nothing of it was done.
    await client.end();
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

/** The certificate is of another incarnation than the database: one of the two is of before a rebuild. */
export class WrongIncarnationError extends Error {
  constructor(
    readonly certified: number,
    readonly found: number,
  ) {
    super(`the certificate is of incarnation ${certified} of this region, but the database is of incarnation ${found}`);
    this.name = 'WrongIncarnationError';
  }
}
