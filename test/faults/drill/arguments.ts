import { join } from 'node:path';
import { repositoryRoot } from '../../../apps/local/layout.js';
import { randomScenario } from './random-scenario.js';
import { type Scenario, readScenario, scenarioNames } from './scenario.js';

/** What one run of `npm run drill` was asked for. */
export interface Asked {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly out: string;
}

export function usage(): string {
  return `Usage: npm run drill -- <name> [--seed N] [--out DIR]
       npm run drill -- --random [--seed N] [--minutes M] [--out DIR]
  <name>       one of ${scenarioNames().join(', ')}
  --random     a schedule made from the seed
  --seed N     chooses the traffic too (default: one of its own, printed)
  --minutes M  how long, with --random (default 3)
  --out DIR    where the report is written (default .homeward/drills/<name>-<seed>)`;
}

const DEFAULT_MINUTES = 3;
const LONGEST_MINUTES = 600;

/** @throws Error with one line that names what is wrong */
export function readArguments(argv: readonly string[], freshSeed: number): Asked {
  const flags = new Map<string, string>();
  const names: string[] = [];
  for (let at = 0; at < argv.length; at += 1) {
    const argument = argv[at]!;
    if (argument === '--random') flags.set(argument, '');
    else if (['--seed', '--minutes', '--out'].includes(argument)) flags.set(argument, argv[(at += 1)] ?? '');
    else if (argument.startsWith('-')) throw new Error(`${argument} is no flag of a drill`);
    else names.push(argument);
  }
  const seed = flags.has('--seed') ? wholeNumber('--seed', flags.get('--seed')!, 4_294_967_295) : freshSeed;
  const minutes = flags.has('--minutes') ? wholeNumber('--minutes', flags.get('--minutes')!, LONGEST_MINUTES) : DEFAULT_MINUTES;
  if (names.length !== (flags.has('--random') ? 0 : 1)) throw new Error('give the name of one scenario, or --random');
  const scenario = flags.has('--random') ? randomScenario(seed, minutes) : readScenario(names[0]!);
  return { scenario, seed, out: flags.get('--out') || join(repositoryRoot(), '.homeward', 'drills', flags.has('--random') ? scenario.name : `${scenario.name}-${seed}`) };
}

function wholeNumber(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most) throw new Error(`${flag} takes a whole number up to ${most}`);
  return value;
}
