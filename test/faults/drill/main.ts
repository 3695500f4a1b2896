import { randomInt } from 'node:crypto';
import { ensureInstalled } from '../../../apps/local/install.js';
import { Runtime } from '../../regions/harness/deployment.js';
import { World } from '../../regions/harness/world.js';
import { readArguments, usage } from './arguments.js';
import { drillPortBase } from './config.js';
import { tableOf } from './report/table.js';
import { lengthS, runDrill, writeDrill } from './run-drill.js';

const SEEDS = 1_000_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** `npm run drill`: starts the regions of the scenario, runs it, tells and writes the report. @returns 1 where a promise broke */
async function main(argv: readonly string[]): Promise<number> {
  const asked = argumentsOf(argv);
  if (asked === undefined) return 2;
  const { scenario, seed, out } = asked;
  await ensureInstalled(say);
  say(`${scenario.name}, seed ${seed}: ${lengthS(scenario)} s of traffic in ${scenario.regions.join(', ')}`);
  // Wrong passwords are tried on purpose, all from one address.
  const runtime = await Runtime.start({ portBase: drillPortBase, regions: scenario.regions, env: { HOMEWARD_ATTEMPTS_PER_ADDRESS: '100000', HOMEWARD_ATTEMPTS_PER_IDENTIFIER: '1000' } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void runtime.stop().finally(() => process.exit(1)));
  try {
    const drill = await runDrill(new World(runtime.address), scenario, seed, say);
    writeDrill(drill, out);
    say(`\n${tableOf(drill.report)}\n\nwritten to ${out}`);
    return drill.report.held ? 0 : 1;
  } finally {
    await runtime.stop();
  }
}

function argumentsOf(argv: readonly string[]): ReturnType<typeof readArguments> | undefined {
  try {
    return readArguments(argv, randomInt(SEEDS));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage()}\n`);
    return undefined;
  }
}

process.exitCode = await main(process.argv.slice(2));
