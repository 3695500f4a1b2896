import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '#adapters/postgres';
import type { Owner } from './owner.js';
import type { Mark } from './owner-answers.js';
import type { Way } from './sources.js';

/** Longest wait: the channel is behind or stopped then, which `/ops/status` tells, and nothing is said about its rows. */
const APPLIED_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 50;

const BEAT = { name: 'audit-beat', text: `SELECT body ->> 'boot' AS boot, (body ->> 'beat')::float8 AS beat FROM heartbeat WHERE region = $1` };
const APPLIED = { name: 'audit-applied', text: `SELECT stream || '/' || partition AS place, applied::float8 AS applied FROM stream_applied WHERE region = $1 AND writer = $2` };

/**
 * Lets the owner mark where its writing is, and waits until everything up to there is applied here, each way by itself: by
 * database replication once a heartbeat is here that the owner began later (rows arrive in the order of their commits), by
 * the streams once the numbers are applied that stand for the owner's outbox up to there.
 * @returns the ways by which all of it has come
 * @throws OwnerUnavailableError, or what ends the waiting by `signal`
 */
export async function untilMarkApplied(database: Database, own: string, owner: Owner, signal: AbortSignal): Promise<ReadonlySet<Way>> {
  const mark = await owner.mark();
  const [rows, events] = await Promise.all([
    within(signal, () => isBeatHere(database, owner.name, mark)),
    within(signal, headsOf(owner, mark, (heads) => areHeadsApplied(database, own, owner.name, heads))),
  ]);
  return new Set<Way>([...(rows ? ['database' as const] : []), ...(events ? ['streams' as const] : [])]);
}

async function isBeatHere(database: Database, owner: string, mark: Mark): Promise<boolean> {
  const [row] = await database.query<{ boot: string; beat: number }>(BEAT, [owner]);
  return row?.boot === mark.boot && row.beat > mark.beat;
}

/** Asks for the numbers until there are any, then for nothing but the own database. */
function headsOf(owner: Owner, mark: Mark, applied: (heads: Readonly<Record<string, number>>) => Promise<boolean>): () => Promise<boolean> {
  let heads: Readonly<Record<string, number>> | null = null;
  return async () => {
    heads ??= await owner.heads(mark.outbox);
    return heads !== null && applied(heads);
  };
}

async function areHeadsApplied(database: Database, own: string, writer: string, heads: Readonly<Record<string, number>>): Promise<boolean> {
  const rows = await database.query<{ place: string; applied: number }>(APPLIED, [own, writer]);
  const applied = new Map(rows.map((row) => [row.place, row.applied]));
  return Object.entries(heads).every(([place, head]) => (applied.get(place) ?? 0) >= head);
}

async function within(signal: AbortSignal, done: () => Promise<boolean>): Promise<boolean> {
  for (const until = performance.now() + APPLIED_WITHIN_MS; ; await pause(LOOK_EVERY_MS, undefined, { signal })) {
    if (await done()) return true;
    if (performance.now() > until) return false;
  }
}
