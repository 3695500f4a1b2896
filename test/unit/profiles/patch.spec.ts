import { InvalidRequestError } from '#kernel/problems';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { highestStamp, mergeProfiles, type ProfileFields, toFields } from '../../../libs/features/profiles/merge.js';
import { applyPatch, parsePatch, type ProfilePatch, profilePatchSchema } from '../../../libs/features/profiles/patch.js';

describe('a profile patch', () => {
  it.each([
    [{ displayName: 'Zoë 🚀' }], [{ displayName: '🚀'.repeat(100) }], [{ displayName: null }], [{ locale: 'de-CH' }], [{ avatarUrl: 'https://a.example/x.png?y#z' }],
    [{ bio: 'one\n\ttwo' }], [{ bio: '' }], [{ bio: '🚀'.repeat(1000) }], [{ attributes: { a: '1', b: null } }], [{ attributes: null }], [{}], [{ attributes: {} }],
  ])('such as %j is taken', (body) => {
    expect(parsePatch(body)).toEqual(body);
  });

  it.each([
    [{ displayName: '' }, 'displayName'], [{ displayName: ' ' }, 'displayName'], [{ displayName: '🚀'.repeat(101) }, 'displayName'], [{ displayName: 'a\nb' }, 'displayName'],
    [{ displayName: 'a\0' }, 'displayName'], [{ displayName: '\ud800' }, 'displayName'], [{ displayName: 7 }, 'displayName'], [{ locale: 'en_US' }, 'locale'],
    [{ locale: '' }, 'locale'], [{ avatarUrl: 'http://a.example/' }, 'avatarUrl'], [{ avatarUrl: 'javascript:alert(1)' }, 'avatarUrl'],
    [{ avatarUrl: 'https://u:p@a.example/' }, 'avatarUrl'], [{ avatarUrl: ' https://a.example/' }, 'avatarUrl'], [{ avatarUrl: `https://a.example/${'x'.repeat(2048)}` }, 'avatarUrl'],
    [{ bio: '🚀'.repeat(1001) }, 'bio'], [{ bio: 'a\0b' }, 'bio'], [{ bio: '\u001b[2J' }, 'bio'], [{ attributes: { a: 1 } }, 'attributes.a'], [{ attributes: { a: { b: 'c' } } }, 'attributes.a'],
    [{ attributes: { '': 'x' } }, 'attributes.'], [{ attributes: { ['k'.repeat(65)]: 'x' } }, `attributes.${'k'.repeat(65)}`], [{ attributes: ['a'] }, 'attributes'],
    [{ unknown: 1 }, ''], [[], ''], [null, ''], ['text', ''],
  ])('such as %j is refused, naming the place', (body, path) => {
    const error = refusal(() => parsePatch(body));
    expect(error.errors.map((fault) => fault.path)).toContain(path.replace(/\.$/, ''));
    expect(refusal(() => parsePatch(body, 'profile')).errors[0]!.path).toMatch(/^profile/);
  });

  it('with a member named __proto__ is refused, wherever it stands', () => {
    expect(() => parsePatch(JSON.parse('{"__proto__": {"bio": "x"}}'))).toThrow(InvalidRequestError);
    expect(() => parsePatch(JSON.parse('{"attributes": {"__proto__": "x"}}'))).toThrow(InvalidRequestError);
  });

  it('keeps a locale in canonical form and is described for OpenAPI', () => {
    expect(parsePatch({ locale: 'EN-us' }).locale).toBe('en-US');
    expect(JSON.stringify(z.toJSONSchema(profilePatchSchema))).toContain('"maxLength":100');
  });

  it('changes a profile as RFC 7396 says', () => {
    const value = fc.constantFrom('x', 'y', null);
    const attributes = fc.option(fc.dictionary(fc.constantFrom('k', 'l', 'm'), value, { noNullPrototype: true }), { nil: null });
    const patch: fc.Arbitrary<ProfilePatch> = fc.record({ displayName: value, bio: value, attributes }, { requiredKeys: [], noNullPrototype: true });
    fc.assert(
      fc.property(fc.array(patch, { maxLength: 6 }), (patches) => {
        let own: ProfileFields = {};
        let document: unknown = {};
        for (const each of patches) {
          const merged = mergeProfiles([{ region: 'east', fields: own }]);
          own = applyPatch(own, merged, each, (highestStamp(merged) ?? 0) + 1);
          document = mergePatch(document, each);
        }
        expect(toFields(mergeProfiles([{ region: 'east', fields: own }]))).toEqual(withoutEmptyAttributes(document));
      }),
    );
  });

  it('removes with a tombstone, also what another region wrote', () => {
    const merged = mergeProfiles([{ region: 'west', fields: { bio: { s: 4, v: 'w' }, 'attributes.a': { s: 5, v: '1' }, 'attributes.b': { s: 5 } } }]);
    expect(applyPatch({}, merged, { bio: null, attributes: null }, 6)).toEqual({ bio: { s: 6 }, 'attributes.a': { s: 6 } });
    const own = { locale: { s: 1, v: 'de' } };
    expect(applyPatch(own, merged, { attributes: { a: null } }, 6)).toEqual({ locale: { s: 1, v: 'de' }, 'attributes.a': { s: 6 } });
    expect(own).toEqual({ locale: { s: 1, v: 'de' } });
  });

  it('may bring attributes to 32 and no further, and may always remove', () => {
    const attributes = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
    const full = applyPatch({}, mergeProfiles([]), { attributes: attributes(32) }, 1);
    const merged = mergeProfiles([{ region: 'east', fields: full }]);
    expect(() => applyPatch({}, mergeProfiles([]), { attributes: attributes(33) }, 1)).toThrow(InvalidRequestError);
    expect(() => applyPatch(full, merged, { attributes: { more: 'v' } }, 2)).toThrow(InvalidRequestError);
    expect(() => applyPatch(full, merged, { attributes: { more: 'v', k0: null } }, 2)).not.toThrow();
    const crowded = mergeProfiles([{ region: 'east', fields: full }, { region: 'west', fields: { 'attributes.w1': { s: 1, v: 'v' }, 'attributes.w2': { s: 1, v: 'v' } } }]);
    expect(() => applyPatch(full, crowded, { attributes: { k0: null } }, 2)).not.toThrow();
    expect(() => applyPatch(full, crowded, { attributes: { k0: 'changed' } }, 2)).not.toThrow();
  });

  it('is refused when one row would have to remember too many names', () => {
    let own: ProfileFields = {};
    const put = (key: string) => {
      const merged = mergeProfiles([{ region: 'east', fields: own }]);
      own = applyPatch(own, merged, { attributes: { [key]: null } }, (highestStamp(merged) ?? 0) + 1);
    };
    for (let index = 0; index < 512; index += 1) put(`k${index}`);
    expect(() => put('one-more')).toThrow(InvalidRequestError);
    expect(() => put('k7')).not.toThrow();
  });
});

function refusal(act: () => unknown): InvalidRequestError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidRequestError);
    return error as InvalidRequestError;
  }
  throw new Error('It was not refused');
}

/** RFC 7396, section 2, word for word. */
function mergePatch(target: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null) return change;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {};
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** Members that are not set are absent, so an empty object of attributes isn't shown. */
function withoutEmptyAttributes(document: unknown): unknown {
  const { attributes, ...rest } = document as { attributes?: object };
  return attributes === undefined || Object.keys(attributes).length === 0 ? rest : { ...rest, attributes };
}
