import { afterAll, beforeAll, expect, inject } from 'vitest';
import pg from 'pg';
import { databaseUrl } from './harness/deployment.js';
import { type Answer, type Cut, World, eventually } from './harness/index.js';

/** A refusal that is decided here takes no round trip; the margin is for a busy machine that hashes meanwhile. */
export const AT_ONCE_MS = 1_000;
/** The budget of a write (contract, "What works when") and the margin of a busy machine. */
export const WRITE_ENDS_MS = 5_000;

/** The shared deployment for files whose tests share one fault: who makes a fault ends it, nothing is healed in between. */
export function fileWorld(): World {
  const world = new World(inject('address'));
  afterAll(() => world.settleAll());
  return world;
}

/** Something that keeps two regions apart. */
export interface Situation {
  readonly name: string;
  /** The regions whose service runs. */
  readonly alive: readonly string[];
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

/** The link cut in this way, both ways. */
export function linkCut(world: World, mode: Cut): Situation {
  return { name: `the link is cut (${mode})`, alive: world.regions, begin: () => world.cut(mode), end: () => world.heal() };
}

/** The link cut for what one region sends, while the other's bytes arrive. */
export function cutFrom(world: World, from: string, mode: Cut = 'blackhole'): Situation {
  const direction = `${from}-to-${otherThan(world, from)}`;
  return { name: `the link is cut ${direction} (${mode})`, alive: world.regions, begin: () => world.cut(mode, { direction }), end: () => world.heal() };
}

/** A part of a region, its api or `all` of it, killed with SIGKILL. */
export function killed(world: World, region: string, part: 'api' | 'all' = 'api'): Situation {
  return {
    name: `${part} of ${region} is killed`,
    alive: world.regions.filter((name) => name !== region),
    begin: () => world.part(region, part, { state: 'down', signal: 'SIGKILL' }),
    end: () => world.part(region, part, { state: 'up' }),
  };
}

/** What one kind of data keeps while two regions are apart: tests to be registered before, and after, they are together again. */
export interface Apart {
  readonly of: string;
  /** Makes what the tests need while all is well. */
  readonly prepare: () => Promise<void>;
  readonly during: () => void;
  /** Undoes what was done to a region by hand, whatever came of the tests. */
  readonly undo?: () => Promise<void>;
  /** What has a bound from the moment of healing on, so it comes before anything waits for anything. */
  readonly atHealing?: () => void;
  readonly healed: () => void;
}

/** Holds for the tests of one `describe`: begun, and seen by all, before the first; ended after the last. @returns ends it, once */
export function during(world: World, situation: Situation, before: () => Promise<void> = async () => undefined): () => Promise<void> {
  let over = true;
  const end = async (): Promise<void> => {
    if (over) return;
    over = true;
    await situation.end();
  };
  beforeAll(async () => {
    await before();
    over = false;
    await situation.begin();
    await world.untilCutSeen(situation.alive);
  });
  afterAll(end);
  return end;
}

/** The other one of two regions. */
export function otherThan(world: World, region: string): string {
  return world.regions.find((name) => name !== region)!;
}

/** Fails unless the answer is this typed problem, in the contract's form. */
export function mustBeProblem(answer: Answer, status: number, slug: string, members: object = {}): void {
  expect(answer.body, `answered ${answer.status}: ${answer.text}`).toMatchObject({ type: `urn:homeward:problem:${slug}`, status, ...members });
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.body.instance).toBe(answer.headers['x-request-id']);
  if (status === 503 || status === 429) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
}

/** Fails unless the home was taken for unreachable, and that without asking it. */
export function mustBeRefusedAtOnce(answer: Answer, home: string): void {
  mustBeProblem(answer, 503, 'home-unavailable', { home });
  expect(answer.ms).toBeLessThan(AT_ONCE_MS);
}

/** What a client can tell two answers apart by, but for the request's own id. */
export function looks({ status, headers, body }: Answer): object {
  const { instance: _, ...rest } = body;
  return { status, headers: Object.keys(headers).sort(), members: Object.keys(body), body: rest };
}

/** The ids of the accounts that have this identifier in a region: one or none. */
export async function accountsOf(world: World, region: string, identifier: string): Promise<string[]> {
  const rows = await world.sql<{ id: string }>(region, 'SELECT id FROM account WHERE identifier = $1', [identifier]);
  return rows.map(({ id }) => id);
}

/** Until what is known of this account in every region is what its home knows. */
export async function untilKnownEverywhere(world: World, account: string): Promise<void> {
  const seen = async (region: string): Promise<string> => {
    const [row] = await world.sql<{ seen: string }>(region, `SELECT coalesce((SELECT a::text FROM account a WHERE id = $1), '') || coalesce((SELECT p::text FROM password p WHERE account = $1), '')
      || coalesce((SELECT e::text FROM credential_epoch e WHERE account = $1), '') AS seen`, [account]);
    return row!.seen;
  };
  await eventually(async () => {
    const [first, ...rest] = await Promise.all(world.regions.map(seen));
    for (const other of rest) if (other !== first) throw new Error(`${account} is not known everywhere yet`);
  });
}

/** An incident closes some seconds after everything has settled, and one that begins right after it is shown as the same. */
export const CLOSED_MS = 40_000;
const APART_MS = 2_500;

/** Until no incident is open anywhere, and the next one is another. */
export async function untilQuiet(world: World): Promise<void> {
  for (const region of world.regions) {
    await eventually(async () => {
      expect((await world.ops(region, 'GET', '/ops/status')).body.openIncidents).toBe(0);
      const { items } = (await world.ops(region, 'GET', '/ops/incidents?limit=200')).body;
      // Whatever clock closed it: one that was hours ahead is as far from now.
      for (const { closedAt } of items) expect(Math.abs(Date.now() - Date.parse(closedAt))).toBeGreaterThan(APART_MS);
    }, CLOSED_MS);
  }
}

/** Keeps a lock in a region's database, so that what needs it waits, as if the channel that brings it were slow. @returns lets it go */
export async function holding(world: World, region: string, lock: string): Promise<() => Promise<void>> {
  const client = await clientOf(world, region);
  await client.query('BEGIN');
  await client.query(lock);
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
}

/** A change by hand of what replication brought, as if it had not come (yet): the guard of foreign rows doesn't see it. */
export async function asReplication(world: World, region: string, text: string, values: unknown[]): Promise<void> {
  const client = await clientOf(world, region);
  try {
    await client.query('SET session_replication_role = replica');
    await client.query(text, values);
  } finally {
    await client.end();
  }
}

async function clientOf(world: World, region: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl(world.address, region), connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Copies a row of an account as it is in another region, by hand, so that after it both are equal again. */
export async function copyRow(world: World, table: 'account' | 'password', account: string, from: string, to: string): Promise<void> {
  const column = table === 'account' ? 'id' : 'account';
  const [row] = await world.sql<{ body: string }>(from, `SELECT to_jsonb(t)::text AS body FROM ${table} t WHERE ${column} = $1`, [account]);
  await asReplication(world, to, `INSERT INTO ${table} SELECT * FROM jsonb_populate_record(NULL::${table}, $1::jsonb) ON CONFLICT DO NOTHING`, [row!.body]);
}
