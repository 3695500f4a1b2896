import { describe, expect, it } from 'vitest';
import { randomScenario } from '../faults/drill/random-scenario.js';
import { tableOf } from '../faults/drill/report/table.js';
import { runDrill } from '../faults/drill/run-drill.js';
import { type Scenario, readScenario } from '../faults/drill/scenario.js';
import { fileWorld } from './situations.js';

/** Chooses the traffic of the named drills, and the schedule of the random one. */
const SEED = 20_261_121;

const world = fileWorld();

/** Runs a drill on the deployment that is up. Fails with the whole report where a promise broke. */
async function mustHold(scenario: Scenario): Promise<void> {
  const lines: string[] = [];
  const { report } = await runDrill(world, scenario, SEED, (line) => lines.push(line));
  const { rpo, rtoMs, equalMs } = report;
  console.log(`drill ${scenario.name}, seed ${SEED}: ${rpo.acknowledged} acknowledged writes, ${rpo.missing} missing; worked again after ${rtoMs ?? 0} ms, equal after ${equalMs} ms`);
  expect(report.held, `${lines.join('\n')}\n${tableOf(report)}`).toBe(true);
}

describe('users go on with their lives in both regions, and every promise holds', () => {
  it('faults 1, 2: while the link is cut silently, and again refusing', () => mustHold(readScenario('link-cut')));
  it('faults 3: while the link is cut one way, and the other way', () => mustHold(readScenario('one-way-cut')));
  it('faults 29: while everything of a region is killed', () => mustHold(readScenario('region-kill')));
  it('faults 13: while brokers are frozen for 10 s in the middle of sends', () => mustHold(readScenario('broker-freeze')));
  it('while clocks jump by an hour, and the link is cut meanwhile', () => mustHold(readScenario('clock-skew')));
  it('while faults come that a seed has chosen, for a minute', () => mustHold(randomScenario(SEED, 1)), 240_000);
});
