/** What RFC 5646 keeps of older rules, in lower case, with the tag that its registry prefers; itself where there is none. */
const GRANDFATHERED: Readonly<Record<string, string>> = {
  'en-gb-oed': 'en-GB-oxendict', 'i-ami': 'ami', 'i-bnn': 'bnn', 'i-default': 'i-default', 'i-enochian': 'i-enochian', 'i-hak': 'hak', 'i-klingon': 'tlh',
  'i-lux': 'lb', 'i-mingo': 'i-mingo', 'i-navajo': 'nv', 'i-pwn': 'pwn', 'i-tao': 'tao', 'i-tay': 'tay', 'i-tsu': 'tsu', 'no-bok': 'nb', 'no-nyn': 'nn',
  'sgn-be-fr': 'sfb', 'sgn-be-nl': 'vgt', 'sgn-ch-de': 'sgg', 'zh-min': 'zh-min', 'zh-min-nan': 'nan',
};
const privateUse = /^x(-[a-z0-9]{1,8})+$/i;
/** A language before an extended one, which alone says as much (RFC 5646, 4.5): `zh-yue` is `yue`. */
const beforeExtended = /^[a-z]{2,3}-(?=[a-z]{3}(-|$))/i;

/**
 * The canonical form of a BCP 47 language tag; undefined for what is none. Unicode's locale identifiers, which Intl knows, are most of
 * them, but not all (test/unit/profiles/locale.spec.ts).
 */
export function canonicalLocale(tag: string): string | undefined {
  const lower = tag.toLowerCase();
  if (Object.hasOwn(GRANDFATHERED, lower)) return GRANDFATHERED[lower];
  if (privateUse.test(tag)) return lower;
  try {
    return Intl.getCanonicalLocales(tag.replace(beforeExtended, ''))[0];
  } catch {
    return undefined;
  }
}
