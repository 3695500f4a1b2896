import { describe, expect, it } from 'vitest';
import { withoutClaimedEpochs } from '../../../libs/features/audit/auditor.js';
import type { Finding, OwnerResult } from '../../../libs/features/audit/compare-owner.js';
import { resultOf } from '../../../libs/features/audit/invariants.js';
import { agreedColumns } from '../../../libs/features/audit/sources.js';

const epoch = (owner: string, account: string): Finding => ({ owner, table: 'credential_epoch', key: [account], kind: 'surplus' });
const owned = (owner: string, findings: Finding[]): OwnerResult => ({
  owner, findings, tables: { credential_epoch: { rows: 9, missing: 0, different: 0, surplus: findings.length, undecided: 0 } },
});

describe('an audit of several owners', () => {
  it('takes an epoch without an account for surplus only where every owner says so, and tells it once', () => {
    const told = withoutClaimedEpochs([owned('east', [epoch('east', 'a'), epoch('east', 'b')]), owned('north', [epoch('north', 'a')])], new Set());
    expect(told.map(({ findings }) => findings)).toEqual([[epoch('east', 'a')], []]);
    expect(told.map(({ tables }) => tables['credential_epoch']!.surplus)).toEqual([1, 0]);
  });

  it('believes the home alone of an account that is here', () => {
    const told = withoutClaimedEpochs([owned('east', []), owned('north', [epoch('north', 'c')])], new Set(['c']));
    expect(told.map(({ findings }) => findings)).toEqual([[], [epoch('north', 'c')]]);
  });

  it('says nothing of such an epoch while an owner can not be asked', () => {
    const away: OwnerResult = { owner: 'north', unavailable: 'cut', tables: {}, findings: [] };
    expect(withoutClaimedEpochs([owned('east', [epoch('east', 'a')]), away], new Set())[0]!.findings).toEqual([]);
  });

  it('compares the columns that both sides have with one type, and no table whose key differs', () => {
    const column = (name: string, type: string, key: number | null) => ({ name, type, key, optional: key === null });
    const mine = [column('region', 'text', 1), column('id', 'uuid', 2), column('amount', 'bigint', null), column('later', 'text', null)];
    const theirs = [column('region', 'text', 1), column('id', 'uuid', 2), column('amount', 'bigint', null), column('older', 'text', null)];
    expect(agreedColumns(mine, theirs)!.map(({ name }) => name)).toEqual(['region', 'id', 'amount']);
    expect(agreedColumns(mine, [column('region', 'text', 1), column('id', 'text', 2)])).toBeUndefined();
    expect(agreedColumns(mine, [column('id', 'uuid', 1), column('region', 'text', 2)])).toBeUndefined();
  });
});

describe('an invariant', () => {
  it('is broken by what both looks show, and keeps some of it as evidence', () => {
    expect(resultOf('x', new Set(['late', 'wrong']), new Set(['wrong', 'new']))).toEqual({ name: 'x', state: 'broken', count: 1, evidence: ['wrong'] });
    expect(resultOf('x', new Set(['late']), new Set())).toEqual({ name: 'x', state: 'held', count: 0, evidence: [] });
    const many = new Set(Array.from({ length: 50 }, (_, index) => `row ${index}`));
    expect(resultOf('x', many, many)).toMatchObject({ count: 50, evidence: { length: 20 } });
  });
});
