import { z } from 'zod';

/** Characters of a memo: a line on a statement. */
const MEMO_CHARACTERS = 200;
const control = /\p{Cc}/u;

const region = z.string().meta({ description: 'A region', example: 'east' });
const iso = z.string().meta({ format: 'date-time' });
const currency = z.string().meta({ description: 'ISO 4217', example: 'EUR' });
/** Minor units; what JSON carries exactly. */
const amount = z.int().min(1).max(Number.MAX_SAFE_INTEGER).meta({ description: 'Minor units', example: 1_250 });
const memo = z.string().min(1).refine((text) => [...text].length <= MEMO_CHARACTERS, `must have at most ${MEMO_CHARACTERS} characters`)
  .refine((text) => text.isWellFormed() && !control.test(text), 'must not have control characters').meta({ maxLength: MEMO_CHARACTERS, example: 'Lunch' });

export const transferBody = z.strictObject({
  payee: z.string().min(1).max(1_024).meta({ description: 'An identifier or the id of an account', example: 'grace@example.com' }), amount, memo: memo.optional(),
});
export const depositBody = z.strictObject({ account: z.string().min(1).max(1_024), amount, key: z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 visible characters') });
export const objectId = z.uuid().toLowerCase();
export const pageQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), after: z.string().min(1).max(200).optional() });

export const walletAnswer = z.strictObject({ balance: z.int().min(0), currency, asOf: iso, home: region, authoritative: z.boolean(), pendingOut: z.int().min(0) });
export const transferAnswer = z.strictObject({
  id: z.uuid(), payer: z.uuid(), payee: z.uuid(), amount, currency, memo: memo.optional(),
  status: z.enum(['queued', 'settled', 'failed', 'cancelled']),
  reason: z.enum(['insufficient-funds', 'payee-unknown', 'expired', 'credential-superseded', 'idempotency-key-reused']).optional(),
  overdue: z.literal(true).optional(), requestedAt: iso, settledAt: iso.optional(), creditedAt: iso.optional(), acceptedBy: region,
});
export const voucherAnswer = z.strictObject({
  id: z.uuid(), amount, currency, memo: z.string().optional(), incident: z.uuid().optional(), grantedAt: iso, status: z.enum(['granted', 'queued', 'redeemed']), redeemedAt: iso.optional(),
});
/** A page of a list, newest first. */
export const pageOf = <T extends z.ZodType>(item: T) => z.strictObject({ items: z.array(item), next: z.string().nullable() });

export type TransferBody = z.infer<typeof transferBody>;
export type DepositBody = z.infer<typeof depositBody>;
export type PageQuery = z.infer<typeof pageQuery>;
