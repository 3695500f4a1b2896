import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differingRows, differingSlots } from '../../../libs/features/audit/compare-owner.js';
import { type Look, judge } from '../../../libs/features/audit/judge.js';

/** One row at its owner over time: contents, undefined while there is none; each write has a mark of its own. */
const history = fc.array(fc.constantFrom('a', 'b', undefined, undefined), { minLength: 1, maxLength: 8 });
const at = (contents: readonly (string | undefined)[], place: number, side: string): Look => {
  const digest = contents[place];
  // A row that stays as it is keeps its mark; one that was deleted and made again has another.
  let since = place;
  while (since > 0 && contents[since - 1] === digest) since -= 1;
  return digest === undefined ? undefined : { digest, mark: `${side}${since}` };
};
const upTo = (most: number) => fc.nat(most);

describe('the judgement of four looks at a row', () => {
  it('never takes lag for a difference, whatever the row did meanwhile: back to what it was, gone and made again', () => {
    fc.assert(
      fc.property(history, upTo(7), upTo(7), upTo(7), upTo(7), (contents, a, b, c, d) => {
        const last = contents.length - 1;
        // The copy is behind its owner at each look, and by its second look has all that the owner had at its first.
        const ownerBefore = Math.min(a, last);
        const ownerAfter = Math.min(ownerBefore + b, last);
        const copyAfter = Math.min(ownerBefore + c, ownerAfter);
        const copyBefore = Math.max(0, Math.min(ownerBefore - d, copyAfter));
        const looks = { copyBefore: at(contents, copyBefore, 'copy'), ownerBefore: at(contents, ownerBefore, 'owner'), copyAfter: at(contents, copyAfter, 'copy'), ownerAfter: at(contents, ownerAfter, 'owner') };
        expect(['equal', 'again']).toContain(judge(looks));
      }),
      { numRuns: 5_000 },
    );
  });

  it('finds what is missing, different or surplus where the row stands still', () => {
    const [mine, theirs]: [Look, Look] = [{ digest: 'x', mark: '1' }, { digest: 'y', mark: '7' }];
    expect(judge({ copyBefore: undefined, ownerBefore: theirs, copyAfter: undefined, ownerAfter: theirs })).toBe('missing');
    expect(judge({ copyBefore: mine, ownerBefore: theirs, copyAfter: mine, ownerAfter: theirs })).toBe('different');
    expect(judge({ copyBefore: mine, ownerBefore: undefined, copyAfter: mine, ownerAfter: undefined })).toBe('surplus');
  });

  it('says nothing of a row that changed at its owner, or here where its owner has none, between the looks', () => {
    const [mine, theirs]: [Look, Look] = [{ digest: 'x', mark: '1' }, { digest: 'y', mark: '7' }];
    expect(judge({ copyBefore: mine, ownerBefore: theirs, copyAfter: mine, ownerAfter: { ...theirs, mark: '8' } })).toBe('again');
    expect(judge({ copyBefore: undefined, ownerBefore: theirs, copyAfter: mine, ownerAfter: undefined })).toBe('again');
    expect(judge({ copyBefore: undefined, ownerBefore: undefined, copyAfter: mine, ownerAfter: undefined })).toBe('again');
    expect(judge({ copyBefore: { ...mine!, mark: '0' }, ownerBefore: undefined, copyAfter: mine, ownerAfter: undefined })).toBe('again');
  });
});

describe('candidates', () => {
  it('are proposed in the slots whose digests differ, and there in the rows that do', () => {
    expect(differingSlots([[1, 2, '5'], [2, 1, '6'], [3, 1, '7']], [[1, 2, '5'], [2, 2, '6'], [4, 1, '8']]).toSorted()).toEqual([2, 3, 4]);
    const row = (id: string, digest: string) => ({ key: [id], digest, mark: `of ${id}` });
    const found = differingRows('profile', [], [row('a', '1'), row('b', '2'), row('c', '3')], [row('a', '1'), row('b', '9'), row('d', '4')]);
    expect(found.map(({ key, copyBefore, ownerBefore }) => [key[0], copyBefore?.digest, ownerBefore?.digest])).toEqual([['b', '2', '9'], ['c', '3', undefined], ['d', undefined, '4']]);
  });
});
