import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { World } from '../regions/harness/world.js';
import { Bench } from './bench.js';
import { benchPortBase, benchReport } from './config.js';
import { BenchDeployment } from './deployment.js';
import { measurements } from './measurements/index.js';
import { MemorySampler } from './memory-sampler.js';
import { type JudgedRow, judge, table } from './rows.js';

/** `--quick` makes windows short: it shows that everything can be measured, its numbers mean little. */
const QUICK = 0.2;

/**
 * `npm run bench [-- [--quick] [name…]]`: starts two regions of its own, measures, prints the table, writes the report. A name
 * chooses the measurements that contain it. A missed aim is told and is no failure; a measurement that could not be made is one.
 */
async function main(argv: readonly string[]): Promise<number> {
  const names = argv.filter((argument) => !argument.startsWith('--'));
  const chosen = measurements.filter(({ name }) => names.length === 0 || names.some((wanted) => name.includes(wanted)));
  if (chosen.length === 0) throw new Error(`no measurement is called so; there are ${measurements.map(({ name }) => name).join(', ')}`);
  const startedMs = performance.now();
  const deployment = await BenchDeployment.start(benchPortBase);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void deployment.stop().finally(() => process.exit(1)));
  try {
    const world = new World(deployment.address);
    const memory = new MemorySampler(deployment.address.data, deployment.address.regions);
    const bench = new Bench(world, memory, argv.includes('--quick') ? QUICK : 1);
    await world.settleAll();
    await bench.prepare();
    memory.start();
    const outcome = await measure(bench, chosen);
    memory.stop();
    await bench.close();
    return tell(outcome, (performance.now() - startedMs) / 1_000);
  } finally {
    await deployment.stop();
  }
}

interface Outcome {
  readonly rows: JudgedRow[];
  readonly notMade: { name: string; why: string }[];
}

async function measure(bench: Bench, chosen: typeof measurements): Promise<Outcome> {
  const outcome: Outcome = { rows: [], notMade: [] };
  for (const { name, run } of chosen) {
    const startedMs = performance.now();
    try {
      const rows = (await run(bench)).map(judge);
      outcome.rows.push(...rows);
      process.stderr.write(`${table(rows)}\n`);
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      outcome.notMade.push({ name, why: `${error instanceof Error ? error.stack : String(error)}${cause}` });
    }
    process.stderr.write(`${name}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`);
    await bench.world.settleAll();
  }
  return outcome;
}

function tell({ rows, notMade }: Outcome, seconds: number): number {
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), memoryGb: Math.round(totalmem() / 1e9), node: process.version };
  writeFileSync(benchReport, `${JSON.stringify({ at: new Date().toISOString(), seconds: Math.round(seconds), machine, rows, notMade }, undefined, 2)}\n`);
  process.stdout.write(`${table(rows)}\n`);
  const missed = rows.filter(({ met }) => met === false).length;
  const met = rows.filter((row) => row.met === true).length;
  process.stdout.write(`${met} aims met, ${missed} missed, ${rows.length - met - missed} numbers without an aim; ${Math.round(seconds)} s; written to ${benchReport}\n`);
  for (const { name, why } of notMade) process.stdout.write(`NOT MEASURED ${name}: ${why}\n`);
  return notMade.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
