import { z } from 'zod';
import { couldBePassword } from '#features/accounts';
import { profilePatchSchema } from '#features/profiles';

/** Longest identifier taken in at all; normalisation says more. */
const identifier = z.string().min(1).max(1_024).meta({ description: 'A phone number in international form or an e-mail address', example: 'ada@example.com' });
/** Longer than any password that can pass, so that the rule about length, and not this one, refuses an honest mistake. */
const password = z.string().max(65_536).meta({ format: 'password', example: 'violet-otter-42' });
const iso = z.string().meta({ format: 'date-time' });
const region = z.string().meta({ description: 'A region', example: 'east' });

/** One that is presented, not chosen: what nobody can have is no attempt at an account, and is refused before anybody is asked. */
const presented = password.refine(couldBePassword, 'is no password that an account can have: 1 to 256 characters').meta({ minLength: 1, maxLength: 256 });

export const registerBody = z.strictObject({ identifier, password, profile: profilePatchSchema.optional() });
export const signInBody = z.strictObject({ identifier, password: presented });
export const passwordBody = z.strictObject({ current: presented, next: password });
export const routeQuery = z.strictObject({ identifier });

const account = z.strictObject({ id: z.uuid(), identifier, home: region });
export const accountAnswer = z.strictObject({ id: z.uuid(), identifier, home: region, createdAt: iso });
export const signInAnswer = z.strictObject({ token: z.string(), origin: region, expiresAt: iso, assurance: z.enum(['full', 'local']), account });
export const sessionAnswer = z.strictObject({ origin: region, account, createdAt: iso, expiresAt: iso });
export const profileAnswer = z.strictObject({ accountId: z.uuid(), fields: z.strictObject({
  displayName: z.string().optional(), locale: z.string().optional(), avatarUrl: z.string().optional(), bio: z.string().optional(),
  attributes: z.record(z.string(), z.string()).optional(),
}), updatedAt: iso });
export const routeAnswer = z.strictObject({ slot: z.int().min(0).max(1_023), home: region, version: z.int() });
export const degradationAnswer = z.strictObject({
  region,
  peers: z.array(z.strictObject({ region, reachable: z.boolean() })),
  writes: z.enum(['taken', 'refused: the disk is nearly full']),
  items: z.array(z.strictObject({
    operation: z.string(), allWell: z.string(), homeCut: z.string(), awayCut: z.string(),
    now: z.record(z.string(), z.enum(['all-well', 'home-cut', 'away-cut'])),
  })),
});
export const problemAnswer = z.looseObject({ type: z.string(), title: z.string(), status: z.int(), detail: z.string(), instance: z.string() });

export type RegisterBody = z.infer<typeof registerBody>;
export type SignInBody = z.infer<typeof signInBody>;
export type PasswordBody = z.infer<typeof passwordBody>;
export type RouteQuery = z.infer<typeof routeQuery>;
