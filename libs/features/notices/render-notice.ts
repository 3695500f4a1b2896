import { type NoticeLocale, type NoticeText, TEMPLATES } from './templates.js';

/** The language of notices for a profile's locale: Chinese for every Chinese locale, English for all others. */
export function noticeLocale(tag: string | undefined): NoticeLocale {
  return tag !== undefined && /^zh(-|$)/i.test(tag) ? 'zh' : 'en';
}

/**
 * The words of one notice.
 * @param data what the notice is made of; a memo is shown for vouchers alone, whose memo an operator wrote: a payer's is
 * anybody's text, and would go out under our name
 */
export function renderNotice(kind: string, data: Readonly<Record<string, unknown>>, locale: NoticeLocale, currency: string): NoticeText {
  const templates = TEMPLATES[locale];
  const template = Object.hasOwn(templates, kind) ? templates[kind]! : templates.other;
  return template({ amount: amountText(data['amount'], locale, currency), reason: textOf(data['reason']), memo: textOf(data['memo']) });
}

/** Minor units with the currency's own number of digits; written as decimal text, since a large amount has no exact fraction. */
export function amountText(minor: unknown, locale: NoticeLocale, currency: string): string {
  if (typeof minor !== 'number' || !Number.isSafeInteger(minor)) return currency;
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 0;
  const padded = String(minor).padStart(digits + 1, '0');
  const text = digits === 0 ? padded : `${padded.slice(0, -digits)}.${padded.slice(-digits)}`;
  return format.format(text as Intl.StringNumericLiteral);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
