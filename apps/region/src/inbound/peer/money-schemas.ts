import { z } from 'zod';
import { text } from './schemas.js';

const uuid = z.uuid();
const sha256 = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const deadline = z.strictObject({ boot: z.string().min(1).max(64), monoMs: z.number() });
const amount = z.int().min(1);
const memo = text(1, 512).optional();
const key = text(1, 128);
const region = z.string().regex(/^[a-z][a-z0-9-]{0,15}$/);
const order = z.strictObject({
  id: uuid, payer: uuid, payee: uuid, payeeHome: region, amount, memo, key: sha256, session: sha256, epoch: z.int().min(0), acceptedBy: region, requestedAt: z.iso.datetime({ precision: 3 }),
});

export const forwardedTransfer = z.strictObject({ order, deadline });
export const forwardedCancel = z.strictObject({ order, deadline });
export const forwardedDeposit = z.strictObject({ account: uuid, amount, key, deadline });
export const forwardedRedeem = z.strictObject({ account: uuid, voucher: uuid, deadline });
export const accountQuestion = z.union([z.strictObject({ identifier: text(3, 320) }), z.strictObject({ account: uuid })]);
export const accountRow = z.strictObject({ account: uuid });
/** A client's longest page and one row more, which tells that there is more. */
const MOST_ROWS = 201;
export const transferRows = z.strictObject({
  kind: z.enum(['wallet', 'request']), account: uuid, id: uuid.optional(), limit: z.int().min(1).max(MOST_ROWS).default(MOST_ROWS), after: z.strictObject({ at: z.iso.datetime(), id: uuid }).optional(),
});
export const ordersAfter = z.strictObject({ after: text(1, 100) });
