import { describe, expect, it } from 'vitest';
import { noticeLocale, renderNotice } from '#features/notices';
import { amountText } from '../../../libs/features/notices/render-notice.js';

const KINDS = ['transfer-settled', 'transfer-failed', 'transfer-overdue', 'transfer-cancelled', 'transfer-received', 'password-changed', 'voucher-granted'];
const REASONS = ['insufficient-funds', 'payee-unknown', 'expired', 'credential-superseded', 'idempotency-key-reused'];

describe('a notice', () => {
  it.each([
    ['zh', 'zh'], ['zh-Hans-CN', 'zh'], ['zh-TW', 'zh'], ['ZH', 'zh'], ['en', 'en'], ['de-AT', 'en'], ['zha', 'en'], [undefined, 'en'],
  ] as const)('is written for the locale %s in %s', (tag, locale) => {
    expect(noticeLocale(tag)).toBe(locale);
  });

  it('has words of its own for every kind, in both languages, and for a kind that is not known yet', () => {
    const titles = (['en', 'zh'] as const).flatMap((locale) => [...KINDS, 'something-new'].map((kind) => {
      const { title, body } = renderNotice(kind, { amount: 1_250 }, locale, 'EUR');
      expect(body).not.toMatch(/undefined|NaN|\$\{/);
      return title;
    }));
    expect(new Set(titles).size).toBe(titles.length);
    expect(renderNotice('constructor', {}, 'en', 'EUR')).toEqual(renderNotice('something-new', {}, 'en', 'EUR'));
  });

  it('gives each reason of a failure in words, and an unknown one too', () => {
    for (const locale of ['en', 'zh'] as const) {
      const bodies = [...REASONS, 'something-new'].map((reason) => renderNotice('transfer-failed', { amount: 1, reason }, locale, 'EUR').body);
      expect(new Set(bodies).size).toBe(bodies.length);
    }
  });

  it('never carries the memo of a payer, who may be anybody, and carries that of an operator', () => {
    const memo = 'call this number';
    for (const kind of KINDS) expect(renderNotice(kind, { amount: 1, memo }, 'en', 'EUR').body.includes(memo)).toBe(kind === 'voucher-granted');
  });
});

describe('an amount', () => {
  it.each([
    [1_250, 'en', 'EUR', '€12.50'], [5, 'en', 'EUR', '€0.05'], [1_250, 'zh', 'CNY', '¥12.50'], [1_250, 'en', 'JPY', '¥1,250'], [1_250, 'en', 'KWD', 'KWD\u00a01.250'],
    [Number.MAX_SAFE_INTEGER, 'en', 'EUR', '€90,071,992,547,409.91'],
  ] as const)('of %i minor units in %s and %s is exact', (minor, locale, currency, text) => {
    expect(amountText(minor, locale, currency)).toBe(text);
  });
});
