import { hash } from 'node:crypto';
import { stampToIso } from '#kernel/clock';

/** A field as one writer left it: stamp `s` in microseconds, value `v`; without `v` it is a tombstone of a removed field. */
export interface FieldState {
  s: number;
  v?: string;
}

/**
 * One writer's row: its fields by name. Attributes merge each by itself, so each is a field of its own, named `attributes.<key>`.
 */
export type ProfileFields = Record<string, FieldState>;

/** The row of one writer. */
export interface ProfileRow {
  region: string;
  fields: ProfileFields;
}

/** A field that won the merge, and the region that wrote it. */
export interface MergedField extends FieldState {
  region: string;
}

/** What a reader sees: for each field the state that won, tombstones included. */
export type MergedProfile = ReadonlyMap<string, MergedField>;

/** The contract's `fields`: in this order, members that are not set absent, the keys of attributes sorted. */
export interface ProfileContent {
  displayName?: string;
  locale?: string;
  avatarUrl?: string;
  bio?: string;
  attributes?: Record<string, string>;
}

export const PLAIN_FIELDS = ['displayName', 'locale', 'avatarUrl', 'bio'] as const;
export const ATTRIBUTE_PREFIX = 'attributes.';

/**
 * Merges the writers' rows field by field: the highest stamp wins; of equal stamps the region whose name is higher (by code units). As every region
 * merges the same rows by a total order, all show the same whatever came first: commutative, associative and idempotent
 * (test/unit/profiles/merge.spec.ts).
 */
export function mergeProfiles(rows: Iterable<ProfileRow>): MergedProfile {
  const merged = new Map<string, MergedField>();
  for (const { region, fields } of rows) {
    for (const name of Object.keys(fields)) {
      const state = { ...fields[name]!, region };
      const present = merged.get(name);
      if (present === undefined || beats(state, present)) merged.set(name, state);
    }
  }
  return merged;
}

/** The content that the contract shows. */
export function toFields(merged: MergedProfile): ProfileContent {
  const content: ProfileContent = {};
  for (const name of PLAIN_FIELDS) {
    const value = merged.get(name)?.v;
    if (value !== undefined) content[name] = value;
  }
  const attributes = attributesOf(merged);
  // fromEntries defines members, where an assignment to `__proto__` would be lost.
  if (attributes.length > 0) content.attributes = Object.fromEntries(attributes);
  return content;
}

/**
 * A strong ETag, quoted: 128 bits of SHA-256 of the merged content alone, so it is the same in all regions for the same content, whoever wrote it and
 * whenever. Pairs instead of an object, since objects put keys that look like integers first.
 */
export function etagOf(merged: MergedProfile): string {
  const plain = PLAIN_FIELDS.map((name) => merged.get(name)?.v ?? null);
  return `"${hash('sha256', JSON.stringify([...plain, attributesOf(merged)]), 'buffer').toString('base64url', 0, 16)}"`;
}

/** When the merged profile was last changed, ISO 8601; undefined when nothing was ever written. */
export function updatedAtOf(merged: MergedProfile): string | undefined {
  const highest = highestStamp(merged);
  return highest === undefined ? undefined : stampToIso(highest);
}

/** The highest stamp among the fields, tombstones included: what `nextStamp` has to exceed. */
export function highestStamp(merged: MergedProfile): number | undefined {
  let highest: number | undefined;
  for (const { s } of merged.values()) {
    if (highest === undefined || s > highest) highest = s;
  }
  return highest;
}

/** The attributes that are set, sorted by key (code units). */
function attributesOf(merged: MergedProfile): [string, string][] {
  const attributes: [string, string][] = [];
  for (const [name, { v }] of merged) {
    if (v !== undefined && name.startsWith(ATTRIBUTE_PREFIX)) attributes.push([name.slice(ATTRIBUTE_PREFIX.length), v]);
  }
  return attributes.sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * A total order of states. One writer never gives two values to one stamp; should a fault make it do so, a value beats a tombstone and the higher
 * value the lower, so that even then all regions choose the same.
 */
function beats(a: MergedField, b: MergedField): boolean {
  if (a.s !== b.s) return a.s > b.s;
  if (a.region !== b.region) return a.region > b.region;
  if (a.v === undefined || b.v === undefined) return a.v !== undefined;
  return a.v > b.v;
}
