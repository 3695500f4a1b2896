import { evenTable } from '#kernel/routing';
import { type World, eventually } from '../harness/index.js';
import { accountsSql, fillPlainTables } from './rows.js';
import type { Planted } from './plants.js';
import { Writes } from './writes.js';

/** Rows of each table of money and notices. */
const PLAIN_ROWS = 40;
/** Accounts of one statement, and how long an audit may take on a busy machine. */
const CHUNK = 20_000;
const AUDIT_MS = 60_000;

/** Accounts of `owner` by the number, rows of its in every other table, and a writer that goes on adding and changing some. */
export async function makeRows(world: World, owner: string, accounts: number): Promise<Writes> {
  const range = evenTable([...world.regions]).ranges.find(({ home }) => home === owner)!;
  const slots: [number, number] = [range.from, range.to];
  let upTo = 0;
  for (let made = 0; made < accounts; ) {
    const tries = Math.min(CHUNK, (accounts - made) * world.regions.length);
    const [row] = await world.sql<{ count: number }>(owner, accountsSql(owner, slots), [upTo + 1, upTo + tries]);
    made += row!.count;
    upTo += tries;
  }
  await fillPlainTables(world, owner, PLAIN_ROWS);
  return new Writes(world, owner, slots, upTo);
}

/** Begins an audit in a region and waits for its end. @returns what GET /ops/audits/:id tells */
export async function audited(world: World, region: string): Promise<any> {
  for (;;) {
    const { status, body, text } = await world.ops(region, 'POST', '/ops/audits');
    if (status !== 202 && status !== 200) throw new Error(`an audit was answered ${status}: ${text}`);
    const audit = await ended(world, region, body.id);
    // One that the clock had begun before saw things as they were then.
    if (status === 202) return audit;
  }
}

/** One that was begun, once it has ended. */
export function ended(world: World, region: string, id: string): Promise<any> {
  return eventually(async () => {
    const { body } = await world.ops(region, 'GET', `/ops/audits/${id}`);
    if (body.state !== 'done') throw new Error(`the audit is ${body.state}`);
    return body;
  }, AUDIT_MS);
}

/** Findings or plants in one form and order. */
export function told(rows: readonly Planted[]): string[] {
  return rows.map(({ table, kind, key }) => `${table} ${kind} ${key.join(' ')}`).toSorted();
}
