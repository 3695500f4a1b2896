import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../../regions/harness/world.js';
import { validate } from './checks/index.js';
import { FaultDriver } from './fault-driver.js';
import { FinalReads } from './final-reads.js';
import type { History } from './history.js';
import { Recorder } from './recorder.js';
import { pictureOf } from './report/picture.js';
import { type Report, makeReport } from './report/report.js';
import { tableOf } from './report/table.js';
import { type Scenario, faultsEndS } from './scenario.js';
import { Seeded } from './seeded.js';
import { linkBetween } from './timeline.js';
import { Prober } from './traffic/prober.js';
import { Traffic } from './traffic/traffic.js';

/** A region that was cut off longest has a backlog. */
const SETTLE_MS = 90_000;

/** A drill's report and what it was made from. */
export interface Drill {
  readonly report: Report;
  readonly history: History;
}

/**
 * Runs one drill on a deployment that is up: control phase, faults, healing under traffic, then everything is asked again and checked.
 * @throws Error where the drill itself could not be carried out; a broken promise is in the report
 */
export async function runDrill(world: World, scenario: Scenario, seed: number, say: (line: string) => void): Promise<Drill> {
  const recorder = new Recorder();
  const rehearsed = rehearsedLinks(scenario);
  const traffic = new Traffic({ world, recorder, random: new Seeded(seed), rehearsed }, scenario);
  const driver = new FaultDriver(world, recorder, (line) => say(`${(recorder.now() / 1_000).toFixed(1).padStart(6)} s  ${line}`), new Prober(traffic, recorder));
  const before = await FinalReads.before(world);
  await traffic.prepare();
  const fromMs = recorder.now();
  traffic.run();
  let toMs: number;
  try {
    say(`${(fromMs / 1_000).toFixed(1).padStart(6)} s  traffic without faults, for ${scenario.controlS} s`);
    await pause(scenario.controlS);
    rehearsed.clear();
    await driver.play(scenario.faults);
    await pause(scenario.healedS);
  } finally {
    await traffic.stop();
    toMs = recorder.now();
    await driver.healAll();
  }
  say(`${(toMs / 1_000).toFixed(1).padStart(6)} s  all has healed; asking again for what is not known, then for everything`);
  await traffic.resolve();
  await world.settleAll(SETTLE_MS).catch((error: unknown) => say(String(error)));
  const final = await new FinalReads(world, traffic).read(before);
  const history: History = { regions: scenario.regions, operations: recorder.operations, faults: driver.applied, beganAt: recorder.beganAt, fromMs, toMs };
  say(`${(recorder.now() / 1_000).toFixed(1).padStart(6)} s  everything asked`);
  const verdicts = validate(history, final, scenario.promises);
  return { report: makeReport({ scenario, seed, history, final, verdicts, leftOut: traffic.leftOut }), history };
}

/** Writes the report for people, for programs and as a picture, and the history that it was made from. @returns the folder */
export function writeDrill({ report, history }: Drill, folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(join(folder, 'history.json'), `${JSON.stringify(history)}\n`);
  writeFileSync(join(folder, 'report.txt'), `${tableOf(report)}\n`);
  writeFileSync(join(folder, 'timeline.svg'), pictureOf(`${report.scenario.name}, seed ${report.seed}`, history));
  return folder;
}

/** I6 compares with a control run that burns the same processor time: where clients will sign in again because of a link, they do so before. */
function rehearsedLinks({ faults, promises }: Scenario): Set<string> {
  return new Set(promises.untouchedLatency ? faults.flatMap((fault) => ('between' in fault ? [linkBetween(...fault.between)] : [])) : []);
}

/** How long the traffic of a drill goes on, in seconds. */
export function lengthS({ controlS, healedS, faults }: Scenario): number {
  return controlS + faultsEndS(faults) + healedS;
}

function pause(s: number): Promise<void> {
  return new Promise((over) => setTimeout(over, s * 1_000));
}
