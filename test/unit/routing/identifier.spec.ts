import { InvalidIdentifierError } from '#kernel/problems';
import { normalizeIdentifier } from '#kernel/routing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('an identifier', () => {
  it.each([
    ['+1 213 373 4253', '+12133734253'],
    ['  +49 (0) 151 12345678 ', '+4915112345678'],
    ['+49-30-12345678', '+493012345678'],
    ['+44\u00a07911\u2013123456', '+447911123456'],
    ['+41 44 668 18 00', '+41446681800'],
  ])('that is a phone number, %j, becomes E.164', (raw, identifier) => {
    expect(normalizeIdentifier(raw)).toEqual({ identifier, kind: 'phone' });
  });

  it.each(['', '+', '+123', '0151 12345678', '12133734253', '+99912345678', '+1 213 373 4253 ext. 5', '+1 213 373 4253 / 54', '+49151123456789012', 'alice'])(
    'such as %j is refused',
    (raw) => {
      expect(() => normalizeIdentifier(raw)).toThrow(InvalidIdentifierError);
    },
  );

  it.each([
    [' Alice.Smith+News@Example.COM\n', 'alice.smith+news@example.com'],
    ['jos\u0065\u0301@mu\u0308nchen.de', 'jos\u00e9@xn--mnchen-3ya.de'],
    ["o'neil@sub.example.co.uk", "o'neil@sub.example.co.uk"],
    ['用户@例子.公司', '用户@xn--fsqu00a.xn--55qx5d'],
  ])('that is an e-mail address, %j, becomes %j', (raw, identifier) => {
    expect(normalizeIdentifier(raw)).toEqual({ identifier, kind: 'email' });
  });

  it.each([
    '@example.com', 'a@', 'a@b', 'a@@example.com', 'a b@example.com', 'a@exa mple.com', 'a\u0000@example.com', 'a\u200b@example.com', '.a@example.com',
    'a..b@example.com', 'a@-example.com', 'a@example..com', 'a@example.com.', 'a@example.com/x', 'a@example%2ecom', 'a@127.0.0.1', 'a@0x7f.1', 'a@[127.0.0.1]',
    'a@exa_mple.com', `${'a'.repeat(65)}@example.com`, `a@${'b'.repeat(64)}.com`, `a@${'bcdefgh.'.repeat(32)}com`, '"a"@example.com', 'a,b@example.com', '\ud800@example.com',
    'a'.repeat(2000),
  ])('such as %j is refused too', (raw) => {
    expect(() => normalizeIdentifier(raw)).toThrow(InvalidIdentifierError);
  });

  it('that was normalised stays as it is', () => {
    const local = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.oneof(fc.emailAddress(), fc.tuple(local, fc.domain()).map(([part, domain]) => `${part}@${domain}`)), (raw) => {
        const once = normalizedOrUndefined(raw);
        fc.pre(once !== undefined);
        expect(normalizeIdentifier(once!)).toEqual({ identifier: once, kind: 'email' });
      }),
      { numRuns: 500 },
    );
  });

  it('is read or refused with a public message, whatever the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (raw) => void normalizedOrUndefined(raw)), { numRuns: 1000 });
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (raw) => void normalizedOrUndefined(`+49${raw}@${raw}.de`)), { numRuns: 1000 });
  });
});

function normalizedOrUndefined(raw: string): string | undefined {
  try {
    return normalizeIdentifier(raw).identifier;
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidIdentifierError);
    return undefined;
  }
}
