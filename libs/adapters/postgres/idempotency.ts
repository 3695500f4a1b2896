import { createHash } from 'node:crypto';
import { limits } from '#kernel/config';
import type { Database } from './database.js';

/** What is kept of a request that was answered: enough to tell the same body from another, and the answer. */
export interface KeptAnswer<A> {
  /** SHA-256 of the body's members that are no secrets. */
  readonly request: Buffer;
  /** Slow hashes of the secrets among them, so that they can be compared but not guessed. */
  readonly secrets: readonly string[];
  readonly answer: A;
}

const FIND = {
  name: 'find-idempotency',
  text: `SELECT request, secrets, answer FROM idempotency WHERE scope = $1 AND key = $2 AND created_at > clock_timestamp() - make_interval(secs => $3)`,
};
const FORGET = `DELETE FROM idempotency WHERE ctid IN (SELECT ctid FROM idempotency WHERE created_at < clock_timestamp() - make_interval(secs => $1) LIMIT 1000)`;
const lifeSeconds = limits.idempotencyLifeMs / 1_000;

/** Lets an expired key be used again in the statement that stores the new answer. */
export const KEEP_ANSWER = `INSERT INTO idempotency AS kept (scope, key, request, secrets, answer)`;
export const REPLACE_EXPIRED = `ON CONFLICT (scope, key) DO UPDATE SET request = excluded.request, secrets = excluded.secrets, answer = excluded.answer,
  created_at = clock_timestamp() WHERE kept.created_at <= clock_timestamp() - make_interval(secs => ${lifeSeconds})`;

/** The answer that was given to this key, if it is younger than a day. */
export async function findAnswer<A>(database: Database, scope: string, key: string): Promise<KeptAnswer<A> | undefined> {
  const [row] = await database.query<KeptAnswer<A>>(FIND, [scope, key, lifeSeconds]);
  return row;
}

/** Forgets a bounded number of answers that are past their day; returns nothing, runs again soon. */
export async function forgetOldAnswers(database: Database): Promise<void> {
  await database.write(FORGET, [lifeSeconds]);
}

/** Digest of a request's members that are no secrets: the same for the same content whatever the members' order. */
export function requestDigest(body: unknown): Buffer {
  return createHash('sha256').update(canonicalJson(body)).digest();
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const sorted = members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
}
