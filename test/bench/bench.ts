import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { databaseUrl } from '../regions/harness/deployment.js';
import type { World } from '../regions/harness/world.js';
import { Api } from './load/api.js';
import { Population } from './population.js';
import type { Row } from './rows.js';
import type { MemorySampler } from './memory-sampler.js';

/** One measurement, or several that share their rounds. */
export interface Measurement {
  readonly name: string;
  run(bench: Bench): Promise<Row[]>;
}

/** Users that each region has from the beginning. */
const USERS = 2_000;
const CONNECTIONS = 64;
const POOL = 8;
/** Sign-ins at once where sessions are made for a measurement. */
const SIGN_INS = 8;
/** Tokens kept per region for other measurements; more would only be memory. */
const MOST_TOKENS = 4_096;

/** What measurements share: the deployment, its users, and sessions that were made on the way. */
export class Bench {
  readonly here: string;
  readonly there: string;
  private readonly apis = new Map<string, Api>();
  private readonly clients = new Map<string, pg.Client>();
  private readonly pools = new Map<string, pg.Pool>();
  private readonly tokens = new Map<string, string[]>();
  private readonly populations = new Map<string, Population>();
  /** The password of all users, with its hash as the service made it. */
  secret!: { password: string; hash: string };

  constructor(
    readonly world: World,
    readonly memory: MemorySampler,
    /** Shrinks windows and row counts for a quick look; 1 for numbers that mean something. */
    private readonly scale: number,
  ) {
    [this.here, this.there] = world.regions as [string, string];
  }

  /** Makes the users, and servers that keep the times of their commits, which lags are measured by and nothing else needs. */
  async prepare(): Promise<void> {
    for (const region of this.world.regions) {
      await this.world.sql(region, 'ALTER SYSTEM SET track_commit_timestamp = on');
      for (const state of ['down', 'up']) await this.world.part(region, 'postgres', { state });
    }
    await this.world.settleAll();
    const user = await this.world.register(this.here);
    const [row] = await this.world.sql<{ hash: string }>(this.here, 'SELECT hash FROM password WHERE account = $1', [user.id]);
    this.secret = { password: user.password, hash: row!.hash };
    for (const region of this.world.regions) await this.population(region).grow(await this.sql(region), USERS);
  }

  /** A window's length in seconds, whole ones. */
  seconds(full: number): number {
    return Math.max(1, Math.round(full * this.scale));
  }

  /** How often a round is repeated. */
  rounds(full: number): number {
    return this.scale < 1 ? 1 : full;
  }

  /** A number of rows. */
  rows(full: number): number {
    return Math.round(full * this.scale);
  }

  url(region: string): string {
    return `http://127.0.0.1:${this.world.ports(region).public}`;
  }

  redisUrl(region: string): string {
    const { redisPassword } = JSON.parse(readFileSync(join(this.world.address.data, 'secrets.json'), 'utf8')) as { redisPassword: string };
    return `redis://:${redisPassword}@127.0.0.1:${this.world.ports(region).redis}`;
  }

  api(region: string): Api {
    return kept(this.apis, region, () => new Api(this.url(region), CONNECTIONS));
  }

  /** A connection to a region's database, as its superuser. */
  async sql(region: string, database = 'homeward'): Promise<pg.Client> {
    const key = `${region}/${database}`;
    const known = this.clients.get(key);
    if (known !== undefined) return known;
    const client = new pg.Client({ connectionString: this.databaseUrl(region, database) });
    client.on('error', () => undefined);
    await client.connect();
    this.clients.set(key, client);
    return client;
  }

  /** Connections to a region's database for statements that overlap. */
  pool(region: string): pg.Pool {
    return kept(this.pools, region, () => {
      const pool = new pg.Pool({ connectionString: this.databaseUrl(region), max: POOL });
      pool.on('error', () => undefined);
      return pool;
    });
  }

  databaseUrl(region: string, database = 'homeward'): string {
    return databaseUrl(this.world.address, region).replace(/homeward$/, database);
  }

  population(region: string): Population {
    return kept(this.populations, region, () => new Population(this.world.regions, region, `${region}-${randomBytes(3).toString('hex')}-`, this.secret));
  }

  /** A new user whom nobody has registered, of that home. */
  newcomer(home: string): { identifier: string; password: string } {
    return { identifier: this.world.identifier(home), password: this.secret.password };
  }

  /** Signs a user of that region in there, and keeps the session for others. */
  async signIn(region: string): Promise<void> {
    const token = await this.api(region).signIn(this.population(region).any());
    const tokens = kept(this.tokens, region, () => []);
    if (tokens.length < MOST_TOKENS) tokens.push(token);
  }

  /** Living sessions of a region; they stay usable by others. */
  async sessions(region: string, count: number): Promise<readonly string[]> {
    const tokens = kept(this.tokens, region, () => []);
    // A refusal of a busy machine is tried again; a service that refuses all is found by its measurement.
    for (let round = 0; tokens.length < count && round < count; round += 1) await Promise.allSettled(Array.from({ length: SIGN_INS }, () => this.signIn(region)));
    if (tokens.length < count) throw new Error(`${region} makes no sessions`);
    return tokens.slice(0, count);
  }

  /** Sessions that the caller ends. */
  async takeSessions(region: string, count: number): Promise<string[]> {
    await this.sessions(region, count);
    return this.tokens.get(region)!.splice(-count);
  }

  async close(): Promise<void> {
    await Promise.all([...this.apis.values()].map((api) => api.close()));
    await Promise.all([...this.pools.values()].map((pool) => pool.end()));
    await Promise.all([...this.clients.values()].map((client) => client.end()));
  }
}

function kept<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
