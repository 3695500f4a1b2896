import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAULTS, rowsKeptBy } from './faults.js';
import { type SourceFile, sourceFiles } from './source-files.js';

const files = sourceFiles();
const specs = files.filter(({ path }) => /^test\/(regions|faults|local)\/[^/]+\.spec\.ts$/.test(path));
const kept = new Map(specs.map((file) => [file.path, [...new Set([file, ...partsOf(file)].flatMap(rowsKeptBy))].sort((a, b) => a - b)]));

describe('the faults', () => {
  it('are each kept by a spec that names its row in a title `faults N: …`', () => {
    const named = new Set([...kept.values()].flat());
    expect(FAULTS.filter((row) => !named.has(row))).toEqual([]);
    expect([...named].filter((row) => !FAULTS.includes(row))).toEqual([]);
  });

  it('that take long are listed in the README with their rows, and run by `npm run test:faults`', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const listed = [...readme.matchAll(/^\| `(test\/faults\/[^`]+)` \| ([\d, ]*) \|/gm)].map(([, path, rows]) => [path!, rows === '' ? [] : rows!.split(', ').map(Number)] as const);
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries([...kept].filter(([path]) => path.startsWith('test/faults/'))));
  });
});

/** The files beside a spec that it is made of. */
function partsOf(spec: SourceFile): SourceFile[] {
  const paths = new Set(spec.imports.filter(({ specifier }) => specifier.startsWith('./')).map(({ specifier }) => join(dirname(spec.path), specifier.replace(/\.js$/, '.ts'))));
  return files.filter(({ path }) => paths.has(path));
}
