import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureInstalled } from '../apps/local/install.js';

/**
 * `npm test`: installs what is missing, runs every spec (lint and tidy among them) and ends with one line that tells the
 * true numbers. Arguments go to vitest, so `npm test -- --project unit` runs a part; the projects that take long (`faults`,
 * `money`) run only where they are named (`npm run test:faults`).
 */
async function main(): Promise<number> {
  await ensureInstalled((line) => process.stdout.write(`${line}\n`));
  const scratch = mkdtempSync(join(tmpdir(), 'homeward-report-'));
  try {
    const report = join(scratch, 'report.json');
    const given = process.argv.slice(2);
    const projects = given.some((flag) => flag.startsWith('--project')) ? [] : ['--project=unit', '--project=regions'];
    const code = await vitest(['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...projects, ...given]);
    return tell(report, code);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function vitest(flags: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const root = new URL('../../', import.meta.url).pathname;
    const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...flags], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** A run that failed without a failed test (a deployment that did not start, a process left behind) counts as one failure. */
function tell(report: string, code: number): number {
  const { numPassedTests: passed, numFailedTests: failed } = readReport(report);
  const failures = code !== 0 && failed === 0 ? 1 : failed;
  process.stdout.write(`${passed} passed, ${failures} failed\n`);
  return failures === 0 && passed > 0 ? 0 : 1;
}

function readReport(path: string): { numPassedTests: number; numFailedTests: number } {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { numPassedTests: number; numFailedTests: number };
  } catch {
    return { numPassedTests: 0, numFailedTests: 0 };
  }
}

process.exitCode = await main();
