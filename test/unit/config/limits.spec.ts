import { describe, expect, it } from 'vitest';
import { assertLimits, limits } from '#kernel/config';

describe('the limits', () => {
  it('relate as they must', () => {
    expect(() => assertLimits()).not.toThrow();
  });

  it.each([
    ['heartbeatFreshMs', 300], ['readBudgetMs', 4_000], ['replicationWaitMs', 1_000], ['databaseStatementMs', 3_000], ['stopGraceMs', 1_000],
  ] as const)('are refused at start with %s at %i', (name, value) => {
    expect(() => assertLimits({ ...limits, [name]: value } as unknown as typeof limits)).toThrow(/limits disagree/);
  });
});
