import { type FieldError, InvalidRequestError } from '#kernel/problems';
import { z } from 'zod';
import { canonicalLocale } from './locale.js';
import { ATTRIBUTE_PREFIX, type MergedProfile, PLAIN_FIELDS, type ProfileFields } from './merge.js';

/** The limits of the contract, and those that it leaves to us; characters are code points. */
const PROFILE_LIMITS = {
  displayNameCharacters: 100,
  /** The longest well-formed tags in use are far below; RFC 5646, 4.4.1 asks for at least 35. */
  localeCharacters: 64,
  /** What old browsers and proxies take as a URL. */
  avatarUrlCharacters: 2_048,
  bioCharacters: 1_000,
  attributes: 32,
  attributeKeyCharacters: 64,
  /** As much as a bio; the body's limit bounds one patch in any case. */
  attributeValueCharacters: 1_000,
  /** Attributes of one writer's row, removed ones included: their tombstones stay, and the row has to stay small. */
  trackedAttributes: 512,
} as const;

/** C0, DEL and C1 controls: PostgreSQL can't store NUL, and none of the others shows. */
const control = /\p{Cc}/u;
/** A bio has paragraphs. */
const controlButNewlineAndTab = /[^\P{Cc}\n\t]/u;

const displayName = plainText(1, PROFILE_LIMITS.displayNameCharacters).refine((text) => text.trim() !== '', 'must not be blank');
const bio = boundedText(0, PROFILE_LIMITS.bioCharacters).refine(
  (text) => !controlButNewlineAndTab.test(text),
  'must not have control characters but newline and tab',
);
const locale = z
  .string()
  .max(PROFILE_LIMITS.localeCharacters, `must have at most ${PROFILE_LIMITS.localeCharacters} characters`)
  .refine((tag) => canonicalLocale(tag) !== undefined, 'must be a BCP 47 language tag')
  .meta({ description: 'A BCP 47 language tag; kept in canonical form' });
const avatarUrl = plainText(1, PROFILE_LIMITS.avatarUrlCharacters).refine(isHttpsUrl, 'must be an https URL without spaces, user or password');
const attributeKey = plainText(1, PROFILE_LIMITS.attributeKeyCharacters);
const attributeValue = plainText(0, PROFILE_LIMITS.attributeValueCharacters);

/**
 * The body of `PATCH /v1/profile` and of `profile` in a registration: a JSON merge patch (RFC 7396), null removes a member. Unknown members are refused.
 * A pure schema (nothing is transformed), so that OpenAPI can be made from it; `parsePatch` brings the locale into canonical form.
 */
export const profilePatchSchema = z.strictObject({
  displayName: displayName.nullable().optional(),
  locale: locale.nullable().optional(),
  avatarUrl: avatarUrl.nullable().optional(),
  bio: bio.nullable().optional(),
  attributes: z.record(attributeKey, attributeValue.nullable()).nullable().optional(),
});

export type ProfilePatch = z.infer<typeof profilePatchSchema>;

/** Reads a patch. Throws InvalidRequestError with every fault, its paths below `prefix` (`profile` in a registration). */
export function parsePatch(body: unknown, prefix = ''): ProfilePatch {
  refuseReservedKey(body, prefix);
  const parsed = profilePatchSchema.safeParse(body);
  if (!parsed.success) throw new InvalidRequestError(parsed.error.issues.map((issue) => fieldError(issue, prefix)));
  const patch = { ...parsed.data };
  if (typeof patch.locale === 'string') patch.locale = canonicalLocale(patch.locale);
  return patch;
}

/**
 * The writer's new row after a patch: `own` is its present row, `merged` what it sees of all writers, `stamp` comes from `nextStamp`. Every member of the
 * patch is stamped, also where it says what is there already, and a removal leaves a tombstone, also of what isn't seen here: who said it last means it,
 * against edits that are still on their way. `attributes: null` removes every attribute that is seen here.
 * Throws InvalidRequestError when the patch would add attributes beyond 32, or keys beyond what one row tracks. Concurrent edits may together
 * merge to more than 32; then nothing is lost, and only further additions are refused.
 */
export function applyPatch(own: ProfileFields, merged: MergedProfile, patch: ProfilePatch, stamp: number): ProfileFields {
  const changes = new Map<string, string | null>();
  for (const name of PLAIN_FIELDS) {
    const value = patch[name];
    if (value !== undefined) changes.set(name, value);
  }
  for (const [name, value] of attributeChanges(merged, patch.attributes)) changes.set(name, value);
  checkAttributeCount(merged, changes);
  const next: ProfileFields = { ...own };
  for (const [name, value] of changes) next[name] = value === null ? { s: stamp } : { s: stamp, v: value };
  checkTracked(own, next);
  return next;
}

/** A zod record skips a key `__proto__` silently, and what is not kept has to be refused. */
function refuseReservedKey(body: unknown, prefix: string): void {
  const attributes = (body as { attributes?: unknown } | null | undefined)?.attributes;
  if (typeof attributes !== 'object' || attributes === null || !Object.hasOwn(attributes, '__proto__')) return;
  const path = [prefix, 'attributes'].filter((part) => part !== '').join('.');
  throw new InvalidRequestError([{ path, message: 'must not have the reserved name __proto__' }]);
}

function attributeChanges(merged: MergedProfile, attributes: ProfilePatch['attributes']): [string, string | null][] {
  if (attributes === undefined) return [];
  if (attributes !== null) return Object.entries(attributes).map(([key, value]) => [ATTRIBUTE_PREFIX + key, value]);
  return [...merged].filter(([name, { v }]) => v !== undefined && name.startsWith(ATTRIBUTE_PREFIX)).map(([name]) => [name, null]);
}

function checkAttributeCount(merged: MergedProfile, changes: ReadonlyMap<string, string | null>): void {
  const present = new Set([...merged].filter(([name, { v }]) => v !== undefined && name.startsWith(ATTRIBUTE_PREFIX)).map(([name]) => name));
  const before = present.size;
  for (const [name, value] of changes) {
    if (!name.startsWith(ATTRIBUTE_PREFIX)) continue;
    if (value === null) present.delete(name);
    else present.add(name);
  }
  if (present.size > PROFILE_LIMITS.attributes && present.size > before) {
    throw new InvalidRequestError([{ path: 'attributes', message: `must be at most ${PROFILE_LIMITS.attributes}` }]);
  }
}

function checkTracked(own: ProfileFields, next: ProfileFields): void {
  const tracked = Object.keys(next).length;
  if (tracked > PROFILE_LIMITS.trackedAttributes && tracked > Object.keys(own).length) {
    throw new InvalidRequestError([{ path: 'attributes', message: 'have had too many different names' }]);
  }
}

function boundedText(least: number, most: number) {
  const text = z.string().refine((value) => value.isWellFormed(), 'must not have lone surrogates');
  const bounded = text.refine((value) => codePoints(value) <= most, `must have at most ${most} characters`);
  // maxLength tells OpenAPI's readers; counting code points is done above, since a schema's own max counts code units.
  return (least === 0 ? bounded : bounded.refine((value) => value !== '', 'must not be empty')).meta({ minLength: least, maxLength: most });
}

function plainText(least: number, most: number) {
  return boundedText(least, most).refine((value) => !control.test(value), 'must not have control characters');
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function isHttpsUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.protocol === 'https:' && url.hostname !== '' && url.username === '' && url.password === '' && !/[\s\\]/.test(text);
}

function fieldError(issue: z.core.$ZodIssue, prefix: string): FieldError {
  const path = [prefix, ...issue.path.map(String)].filter((part) => part !== '').join('.');
  if (issue.code === 'unrecognized_keys') return { path, message: `has unknown members: ${issue.keys.map((key) => key.slice(0, 64)).join(', ')}` };
  if (issue.code === 'invalid_key') return { path, message: issue.issues[0]?.message ?? 'is not a name' };
  return { path, message: issue.message };
}
