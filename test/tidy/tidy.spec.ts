import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { rules } from './rules.js';
import { sourceFiles } from './source-files.js';

const files = sourceFiles();

/** Longest time that lint takes on a busy machine. */
const LINT_MS = 120_000;

describe('the source', () => {
  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(files)).toEqual([]);
  });

  it('has no lint', () => {
    const { stdout, status } = spawnSync('npx', ['oxlint', 'apps', 'libs', 'test'], { encoding: 'utf8' });
    expect({ status, stdout: status === 0 ? '' : stdout }).toEqual({ status: 0, stdout: '' });
  }, LINT_MS);
});
