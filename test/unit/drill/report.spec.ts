import { describe, expect, it } from 'vitest';
import { validate } from '../../faults/drill/checks/index.js';
import { pictureOf } from '../../faults/drill/report/picture.js';
import { makeReport } from '../../faults/drill/report/report.js';
import { tableOf } from '../../faults/drill/report/table.js';
import { readScenario } from '../../faults/drill/scenario.js';
import { PROMISES, type Seen, soundDrill } from './sound.js';

function reportOf({ history, final }: Seen) {
  return makeReport({ scenario: readScenario('link-cut'), seed: 1, history, final, verdicts: validate(history, final, PROMISES), leftOut: 0 });
}

describe('a report', () => {
  it('tells success, refusals and latency by operation and phase, and what each fault cost', () => {
    const report = reportOf(soundDrill());
    expect(report.held).toBe(true);
    expect(report.operations.find(({ kind, phase }) => kind === 'register' && phase === 'control')).toMatchObject({ calls: 2, ok: 2, successRate: 1, refusals: {} });
    expect(report.operations.find(({ kind, phase }) => kind === 'register' && phase === 'faults')).toMatchObject({ calls: 1, ok: 0, refusals: { 'home-unavailable': 1 } });
    expect(report.operations.find(({ kind, phase }) => kind === 'check' && phase === 'control')).toMatchObject({ p50Ms: 10, p99Ms: 10 });
    expect(report.faults).toMatchObject([{ fault: 'east/west cut (blackhole)', caughtUpMs: 800, worksAgainMs: { register: null } }]);
    expect(report.rpo).toEqual({ acknowledged: 9, missing: 0 });
  });

  it('tells how long what no fault touched took, beside the control phase', () => {
    const report = reportOf(soundDrill());
    expect(report.untouched).toContainEqual({ kind: 'check', control: { calls: 120, p99Ms: 10 }, faults: { calls: 121, p99Ms: 10 }, enough: true });
    expect(tableOf(report)).toMatch(/^check +120 10 ms +121 10 ms$/m);
    const few = soundDrill();
    few.history.operations.splice(-30);
    expect(tableOf(reportOf(few))).toMatch(/^check +120 10 ms +91 10 ms +too few to judge$/m);
  });

  it('is no success where a promise broke, and shows people which and why', () => {
    const seen = soundDrill();
    seen.final.accounts = { ...seen.final.accounts, west: { ana: ['id-ana'] } };
    const report = reportOf(seen);
    expect(report).toMatchObject({ held: false, rpo: { missing: 1 } });
    expect(tableOf(report)).toMatch(/BROKEN +accounts-stay/);
    expect(tableOf(report)).toContain('identifier ben of west');
  });

  it('tells how many orders had to wait, and how late those were', () => {
    const seen = soundDrill();
    expect(reportOf(seen).transfers).toEqual({ queued: 1, late: 0, latestMs: 1_000 });
    const money = seen.final.money;
    seen.final.money = { ...money, transfers: money.transfers.map((one) => (one.transfer === 't-2' ? { ...one, settledAt: '2026-11-21T12:00:47Z' } : one)) };
    expect(reportOf(seen).transfers).toEqual({ queued: 1, late: 1, latestMs: 7_000 });
    seen.final.money = { ...money, transfers: money.transfers.map((one) => (one.transfer === 't-2' ? { ...one, settledAt: '2026-11-21T12:00:39Z' } : one)) };
    expect(reportOf(seen).transfers, 'settled during the cut: it was given at home too').toEqual({ queued: 1, late: 0, latestMs: 0 });
  });

  it('has a picture with every fault and every call, well-formed whatever the names are', () => {
    const { history } = soundDrill();
    const picture = pictureOf('<a & b>', history);
    expect(picture).toContain('east/west cut (blackhole)');
    expect(picture).toContain('&lt;a &amp; b&gt;');
    expect(picture.match(/opacity="0.7"/g)).toHaveLength(history.operations.length);
    expect(picture.match(/<(text|svg)\b/g)!.length).toBe(picture.match(/<\/(text|svg)>/g)!.length);
  });
});
