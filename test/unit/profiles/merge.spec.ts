import { nextStamp } from '#kernel/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { etagOf, highestStamp, mergeProfiles, type ProfileFields, type ProfileRow, toFields, updatedAtOf } from '../../../libs/features/profiles/merge.js';
import { applyPatch, type ProfilePatch } from '../../../libs/features/profiles/patch.js';

const field = fc.constantFrom('displayName', 'bio', 'locale', 'attributes.a', 'attributes.b', 'attributes.10', 'attributes.2', 'attributes.__proto__');
const state = fc.record({ s: fc.nat(5), v: fc.constantFrom('x', 'y', 'z', '') }, { requiredKeys: ['s'], noNullPrototype: true });
const row: fc.Arbitrary<ProfileRow> = fc.record({ region: fc.constantFrom('east', 'west', 'north'), fields: fc.dictionary(field, state) });
const sorted = (rows: Iterable<ProfileRow>) => [...mergeProfiles(rows)].sort(([a], [b]) => (a < b ? -1 : 1));
/** A merge as rows again, so that merges can be merged. */
const asRows = (rows: ProfileRow[]): ProfileRow[] => [...mergeProfiles(rows)].map(([name, { region, ...rest }]) => ({ region, fields: { [name]: rest } }));

describe('the merge of profiles', () => {
  it('is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(fc.array(row), fc.array(row), fc.array(row), (a, b, c) => {
        expect(sorted([...a, ...b])).toEqual(sorted([...b, ...a]));
        expect(sorted([...asRows([...a, ...b]), ...c])).toEqual(sorted([...a, ...asRows([...b, ...c])]));
        expect(sorted([...a, ...a])).toEqual(sorted(a));
        expect(sorted(asRows(a))).toEqual(sorted(a));
        expect(etagOf(mergeProfiles([...a, ...b]))).toBe(etagOf(mergeProfiles([...b, ...a])));
      }),
    );
  });

  it('decides equal stamps by the higher name of the region, and a newer removal against an older value', () => {
    const rows = [
      { region: 'west', fields: { bio: { s: 5, v: 'w' }, locale: { s: 6 } } },
      { region: 'east', fields: { bio: { s: 5, v: 'e' }, locale: { s: 5, v: 'de' } } },
    ];
    expect(toFields(mergeProfiles(rows))).toEqual({ bio: 'w' });
  });

  it('shows the contract’s members in their order, attributes sorted, unset ones absent', () => {
    const merged = mergeProfiles([
      { region: 'east', fields: { 'attributes.b': { s: 1, v: '2' }, 'attributes.a': { s: 1, v: '1' }, bio: { s: 1, v: '' }, locale: { s: 1 } } },
      { region: 'west', fields: { displayName: { s: 2, v: 'Ann' }, avatarUrl: { s: 1, v: 'https://a.example/' } } },
    ]);
    expect(JSON.stringify(toFields(merged))).toBe('{"displayName":"Ann","avatarUrl":"https://a.example/","bio":"","attributes":{"a":"1","b":"2"}}');
    expect(toFields(mergeProfiles([]))).toEqual({});
    expect(highestStamp(merged)).toBe(2);
    expect(highestStamp(mergeProfiles([]))).toBeUndefined();
    expect(updatedAtOf(mergeProfiles([]))).toBeUndefined();
    expect(updatedAtOf(mergeProfiles([{ region: 'east', fields: { bio: { s: 1_795_000_000_000_000 } } }]))).toBe(new Date(1_795_000_000_000).toISOString());
  });

  it('has one ETag for one content, whoever wrote it and whenever', () => {
    const one = mergeProfiles([{ region: 'east', fields: { bio: { s: 1, v: 'x' }, locale: { s: 9 } } }]);
    const two = mergeProfiles([{ region: 'west', fields: { bio: { s: 7, v: 'x' } } }]);
    expect(etagOf(one)).toMatch(/^"[\w-]{22}"$/);
    expect(etagOf(one)).toBe(etagOf(two));
    expect(etagOf(mergeProfiles([{ region: 'west', fields: { locale: { s: 7, v: 'x' } } }]))).not.toBe(etagOf(two));
    fc.assert(
      fc.property(fc.array(row), fc.array(row), (a, b) => {
        const [left, right] = [mergeProfiles(a), mergeProfiles(b)];
        expect(etagOf(left) === etagOf(right)).toBe(JSON.stringify(toFields(left)) === JSON.stringify(toFields(right)));
      }),
    );
  });
});

type Step = { region: number; patch: ProfilePatch; sees: boolean[] };
const patch: fc.Arbitrary<ProfilePatch> = fc.record(
  {
    displayName: fc.constantFrom('a', 'b', null),
    bio: fc.constantFrom('x', 'y', null),
    attributes: fc.constantFrom<Record<string, string | null> | null>(null, { k: '1' }, { k: null }, { k: '2', l: '3' }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const step: fc.Arbitrary<Step> = fc.record({ region: fc.nat(2), patch, sees: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }) });

describe('edits in regions whose clocks are wrong', () => {
  it('beat every edit that their author saw, and all regions converge', () => {
    const skews = fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(skews, fc.array(step, { maxLength: 30 }), (skewsMs, steps) => {
        const names = ['east', 'north', 'west'];
        // copies[reader][writer] is the writer's row as the reader has it.
        const copies: ProfileFields[][] = names.map(() => names.map(() => ({})));
        const view = (reader: number) => mergeProfiles(names.map((region, writer) => ({ region, fields: copies[reader]![writer]! })));
        for (const [time, { region, patch: edit, sees }] of steps.entries()) {
          sees.forEach((seen, writer) => {
            if (seen) copies[region]![writer] = copies[writer]![writer]!;
          });
          const seen = view(region);
          const stamp = nextStamp(1.795e12 + time + skewsMs[region]!, highestStamp(seen));
          copies[region]![region] = applyPatch(copies[region]![region]!, seen, edit, stamp);
          const after = view(region);
          if (edit.displayName !== undefined) expect(toFields(after).displayName ?? null).toBe(edit.displayName);
          if (edit.bio !== undefined) expect(toFields(after).bio ?? null).toBe(edit.bio);
          for (const [key, value] of Object.entries(edit.attributes ?? {})) expect(toFields(after).attributes?.[key] ?? null).toBe(value);
          if (edit.attributes === null) expect(toFields(after).attributes).toBeUndefined();
        }
        names.forEach((_, reader) => names.forEach((_name, writer) => (copies[reader]![writer] = copies[writer]![writer]!)));
        expect(new Set(names.map((_, reader) => etagOf(view(reader)))).size).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
