import { z } from 'zod';
import { profilePatchSchema } from '#features/profiles';
import { STREAMS } from '#kernel/wire';

const uuid = z.uuid();
const hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** What PostgreSQL can store, and no more of it than we make: a text beyond that would be an error of the statement, not of the request. */
export const text = (least: number, most: number) => z.string().min(least).max(most).refine((given) => given.isWellFormed() && !given.includes('\0'), 'must be Unicode without NUL');
const key = text(1, 200);
const deadline = z.strictObject({ boot: z.string().min(1).max(64), monoMs: z.number() });
const identifier = text(3, 320);
const password = z.string().max(65_536);

export const forwardedRegistration = z.strictObject({ identifier, password, profile: profilePatchSchema.optional(), key, deadline });
export const forwardedPasswordChange = z.strictObject({
  account: uuid, current: password, next: password, session: z.strictObject({ hash, epoch: z.int().min(0) }), key, deadline,
});
export const secondRead = z.strictObject({ identifier });
export const sessionRead = z.strictObject({ hash });
export const sessionEnd = z.strictObject({ hash, expiresAtMs: z.number() });
export const sessionEndAll = z.strictObject({ account: uuid, counter: z.int().min(1) });
export const profileRow = z.strictObject({ account: uuid });
export const noticesRow = z.strictObject({ account: uuid });
export const signoutRow = z.strictObject({ account: uuid, session: hash });
export const eventsFrom = z.strictObject({ stream: z.enum(STREAMS), partition: z.int().min(0).max(255), fromNumber: z.int().min(1), limit: z.int().min(1).max(1_000) });
export const stateAfter = z.strictObject({ after: uuid.or(z.literal('00000000-0000-0000-0000-000000000000')) });
