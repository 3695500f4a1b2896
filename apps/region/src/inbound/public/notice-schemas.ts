import { z } from 'zod';
import { pageOf } from './money-schemas.js';

const iso = z.string().meta({ format: 'date-time' });
const text = z.strictObject({ title: z.string(), body: z.string() });
const notification = z.strictObject({
  id: z.uuid(),
  kind: z.string().meta({ description: 'transfer-settled, transfer-failed, transfer-overdue, transfer-cancelled, transfer-received, password-changed, voucher-granted; more may come' }),
  subject: z.uuid().meta({ description: 'What it is about: a transfer, a voucher, a change of password' }),
  createdAt: iso,
  readAt: iso.optional(),
  text: text.meta({ description: "In the language of the profile's locale: English or Chinese" }),
  data: z.record(z.string(), z.unknown()),
});

export const notificationsAnswer = pageOf(notification);
export const markedAnswer = z.strictObject({ id: z.uuid(), readAt: iso });
export const announcementsAnswer = pageOf(z.strictObject({ id: z.uuid(), publishedAt: iso, texts: z.strictObject({ en: text.optional(), zh: text.optional() }) }));
