import { afterAll, beforeAll, expect } from 'vitest';
import { readMetrics } from './metrics.js';
import type { World } from './world.js';

/** Every table in which a request could leave something. */
const TABLES = ['account', 'credential_epoch', 'password', 'profile', 'ended_session', 'signout', 'idempotency', 'outbox', 'outbox_batch', 'redis_pending', 'dead_letter', 'conflict',
  'posting', 'balance', 'transfer_request', 'transfer_decision', 'transfer_credit', 'transfer_key', 'transfer_waiting', 'voucher', 'voucher_redemption', 'redeem_request', 'notification'];

/** The rows of every table of every region, counted: what a request that was refused must leave as it was. */
export async function rowCounts(world: World): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const region of world.regions) {
    const [row] = await world.sql<Record<string, number>>(region, `SELECT ${TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`).join(', ')}`);
    for (const [table, count] of Object.entries(row!)) counts[`${region}.${table}`] = count;
  }
  return counts;
}

/** Routes that regions call on each other by themselves, whatever clients do. */
const BY_THEMSELVES = /heartbeat|route-table|\/events|\/state\/|\/audit\//;

/** How many calls on clients' behalf each region has had from its peers. */
export async function callsBetween(world: World): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const region of world.regions) {
    const samples = readMetrics((await world.ops(region, 'GET', '/metrics')).text);
    const asked = samples.filter(({ name, labels }) => name === 'homeward_request_seconds_count' && labels['listener'] === 'peer' && !BY_THEMSELVES.test(labels['route']!));
    counts[region] = asked.reduce((sum, { value }) => sum + value, 0);
  }
  return counts;
}

/** What the tests of a block try leaves nothing in any table of any region, and nothing is sent to a peer. */
export function leavesNoTrace(world: World): void {
  let rows: Record<string, number>;
  let calls: Record<string, number>;
  beforeAll(async () => {
    [rows, calls] = [await rowCounts(world), await callsBetween(world)];
  });
  afterAll(async () => {
    expect(await rowCounts(world)).toEqual(rows);
    expect(await callsBetween(world)).toEqual(calls);
  });
}
