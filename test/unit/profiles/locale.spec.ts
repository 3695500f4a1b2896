import { describe, expect, it } from 'vitest';
import { parsePatch } from '#features/profiles';

describe('a locale', () => {
  // RFC 5646, appendix A, and what else it allows.
  it.each([
    ['de', 'de'], ['i-enochian', 'i-enochian'], ['zh-Hant', 'zh-Hant'], ['zh-cmn-Hans-CN', 'zh-Hans-CN'], ['cmn-Hans-CN', 'zh-Hans-CN'], ['zh-yue-HK', 'yue-HK'], ['yue-HK', 'yue-HK'], ['sr-Latn-RS', 'sr-Latn-RS'],
    ['sl-rozaj', 'sl-rozaj'], ['de-CH-1901', 'de-CH-1901'], ['sl-Latn-IT-nedis', 'sl-Latn-IT-nedis'], ['es-419', 'es-419'], ['de-CH-x-phonebk', 'de-CH-x-phonebk'], ['x-whatever', 'x-whatever'], ['qaa-Qaaa-QM-x-southern', 'qaa-Qaaa-QM-x-southern'],
    ['de-Qaaa', 'de-Qaaa'], ['en-US-u-islamcal', 'en-US-u-islamcal'], ['zh-CN-a-myext-x-private', 'zh-CN-a-myext-x-private'], ['en-a-myext-b-another', 'en-a-myext-b-another'], ['I-Klingon', 'tlh'], ['sgn-BE-FR', 'sfb'], ['zh-min-nan', 'nan'], ['EN-us', 'en-US'],
  ])('may be any BCP 47 tag, and is kept in its canonical form: %s', (tag, canonical) => {
    expect(parsePatch({ locale: tag }).locale).toBe(canonical);
    expect(parsePatch({ locale: canonical }).locale).toBe(canonical);
  });

  it.each(['de-419-DE', 'a-DE', 'ar-a-aaa-b-bbb-a-ccc', 'en_US', 'x', 'x-', 'x-toolongone', 'i-nobody', 'en-', 'de-1901-1901', '', 'zh-', 'x-\u00e9', 'constructor'])('that is no BCP 47 tag is refused: %j', (tag) => {
    expect(() => parsePatch({ locale: tag })).toThrow(expect.objectContaining({ errors: [{ path: 'locale', message: 'must be a BCP 47 language tag' }] }));
  });
});
