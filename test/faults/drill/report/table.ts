import type { Recovery } from '../recovery.js';
import type { Report } from './report.js';

/** The most lines of evidence of one invariant that people are shown; the JSON has all. */
const MOST_EVIDENCE = 8;

/** A report for people. */
export function tableOf(report: Report): string {
  const { scenario, seed, seconds, invariants, operations, untouched, faults } = report;
  const rows = operations.map(({ kind, phase, calls, successRate, p50Ms, p99Ms, refusals }) => [
    kind, phase, String(calls), `${(successRate * 100).toFixed(1)} %`, shown(p50Ms), shown(p99Ms), Object.entries(refusals).map(([name, count]) => `${count} ${name}`).join(', '),
  ]);
  const beside = untouched.map(({ kind, control, faults: during, enough }) => [kind, `${control.calls} ${shown(control.p99Ms)}`, `${during.calls} ${shown(during.p99Ms)}`, enough ? '' : 'too few to judge']);
  const healed = faults.map(({ fault, startMs, endMs, caughtUpMs, worksAgainMs }) => [
    fault, `${(startMs / 1_000).toFixed(1)} s`, `${((endMs - startMs) / 1_000).toFixed(1)} s`, longest(worksAgainMs), caughtUpMs === undefined ? '' : `${Math.round(caughtUpMs)} ms`,
  ]);
  const verdicts = invariants.map(({ name, broken, checked, promise }) => [broken.length > 0 ? 'BROKEN' : checked === 0 ? 'unasked' : 'held', name, String(checked), promise]);
  return [
    `${scenario.name}, seed ${seed}, ${seconds} s: ${scenario.about}`, '',
    columns([['operation', 'phase', 'calls', 'success', 'p50', 'p99', 'refused'], ...rows]), '',
    columns([['untouched', 'calls and p99 in control', 'calls and p99 during faults', ''], ...beside]), '',
    columns([['fault', 'at', 'for', 'works again', 'caught up'], ...healed]), '',
    columns([['', 'invariant', 'facts', 'promise'], ...verdicts]),
    ...invariants.flatMap(({ name, broken }) => evidenceOf(name, broken)), '',
    `acknowledged writes ${report.rpo.acknowledged}, missing ${report.rpo.missing}; sessions regenerated ${report.sessionsRegenerated}; `
    + `transfers queued ${report.transfers.queued}, late ${report.transfers.late}, the latest by ${Math.round(report.transfers.latestMs)} ms; `
    + `regions equal ${report.equalMs === null ? 'never' : `${Math.round(report.equalMs)} ms`} after the traffic; calls left out ${report.leftOut}`,
  ].join('\n');
}

function evidenceOf(name: string, broken: readonly string[]): string[] {
  if (broken.length === 0) return [];
  const more = broken.length > MOST_EVIDENCE ? [`  and ${broken.length - MOST_EVIDENCE} more, all in the JSON`] : [];
  return ['', `${name}, broken ${broken.length} times:`, ...broken.slice(0, MOST_EVIDENCE).map((line) => `  ${line}`), ...more];
}

function longest(worksAgainMs: Recovery['worksAgainMs']): string {
  const times = Object.values(worksAgainMs);
  if (times.length === 0) return 'nothing failed';
  const known = times.filter((ms) => ms !== null);
  return known.length < times.length ? 'not seen of all' : `${Math.round(Math.max(...known))} ms`;
}

function shown(ms: number | undefined): string {
  return ms === undefined ? '' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function columns(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n');
}
