import { isAbsolute, resolve } from 'node:path';

import { RuntimeFailure } from './failure.js';
import { MAX_REGIONS, REGION_NAME, highestPort } from './ports.js';

/** What one start of the local runtime was asked for. */
export interface LocalConfig {
  readonly fresh: boolean;
  /** As given; none means those stored, or east and west at the first start. */
  readonly regions: readonly string[] | undefined;
  /** As given; none means the default place (`layout.ts`). */
  readonly dataDir: string | undefined;
  readonly portBase: number;
  /** For every region's service, over what the runtime says itself. */
  readonly serviceEnv: Readonly<Record<string, string>>;
  /** The runtime ends when its parent ends: npm may be killed in ways it can't pass on. */
  readonly followParent: boolean;
}

const DEFAULT_PORT_BASE = 4000;
const ENVIRONMENT_NAME = /^[A-Z_][A-Z0-9_]*$/;

export const USAGE = `Usage: npm start -- [--fresh] [--regions east,west,north] [--data DIR] [--port-base N] [--env KEY=VALUE]…
  --fresh            forget the data of earlier starts
  --regions LIST     the regions, at the first start only (default east,west)
  --data DIR         where the data lies (also HOMEWARD_LOCAL_DATA)
  --port-base N      control at N, the regions at N+100, N+200, … (default ${DEFAULT_PORT_BASE})
  --env KEY=VALUE    an option of every region's service, repeatable`;

/** Reads the arguments and this process's environment. @throws RuntimeFailure with one line that names what is wrong. */
export function readConfig(argv: readonly string[]): LocalConfig {
  return parseConfig(argv, process.env, process.cwd());
}

/** The environment for programs that the runtime starts: the person's own, without options of ours. */
export function programEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith('HOMEWARD_') && !name.startsWith('npm_')) kept[name] = value;
  }
  return { ...kept, ...extra };
}

/** `readConfig` without its sources. */
export function parseConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>, cwd: string): LocalConfig {
  const flags = readFlags(argv);
  const regions = flags.regions === undefined ? undefined : parseRegions(flags.regions);
  const data = flags.data ?? (env['HOMEWARD_LOCAL_DATA'] || undefined);
  return {
    fresh: flags.fresh,
    regions,
    dataDir: data === undefined ? undefined : isAbsolute(data) ? data : resolve(cwd, data),
    portBase: parsePortBase(flags.portBase, regions?.length ?? 2),
    serviceEnv: { ...serviceOptions(env), ...flags.env },
    followParent: env['npm_lifecycle_event'] !== undefined,
  };
}

interface Flags {
  fresh: boolean;
  regions?: string;
  data?: string;
  portBase?: string;
  env: Record<string, string>;
}

function readFlags(argv: readonly string[]): Flags {
  const flags: Flags = { fresh: false, env: {} };
  for (let at = 0; at < argv.length; at += 1) {
    const [name, inline] = splitOnce(argv[at]!);
    const value = (): string => {
      const given = inline ?? argv[(at += 1)];
      if (given === undefined || given === '') throw new RuntimeFailure(`${name} needs a value`);
      return given;
    };
    if (name === '--fresh' && inline === undefined) flags.fresh = true;
    else if (name === '--regions') flags.regions = value();
    else if (name === '--data') flags.data = value();
    else if (name === '--port-base') flags.portBase = value();
    else if (name === '--env') addEnvironment(flags.env, value());
    else throw new RuntimeFailure(`unknown argument ${argv[at]}\n${USAGE}`);
  }
  return flags;
}

function splitOnce(argument: string): [string, string | undefined] {
  const equals = argument.indexOf('=');
  return argument.startsWith('--') && equals > 0 ? [argument.slice(0, equals), argument.slice(equals + 1)] : [argument, undefined];
}

function addEnvironment(env: Record<string, string>, assignment: string): void {
  const equals = assignment.indexOf('=');
  const name = assignment.slice(0, Math.max(equals, 0));
  if (!ENVIRONMENT_NAME.test(name)) throw new RuntimeFailure(`--env takes KEY=VALUE, not ${assignment}`);
  env[name] = assignment.slice(equals + 1);
}

/** A list of region names, in the order that decides their ports. @throws RuntimeFailure */
function parseRegions(list: string): string[] {
  const names = list.split(',').map((name) => name.trim());
  for (const name of names) {
    if (!REGION_NAME.test(name)) {
      throw new RuntimeFailure(`"${name}" can't be a region's name: 1 to 16 of a-z, 0-9 and -, a letter first`);
    }
  }
  if (new Set(names).size !== names.length) throw new RuntimeFailure(`--regions names a region twice: ${list}`);
  if (names.length > MAX_REGIONS) throw new RuntimeFailure(`at most ${MAX_REGIONS} regions fit on one machine`);
  return names;
}

function parsePortBase(given: string | undefined, regionCount: number): number {
  const base = given === undefined ? DEFAULT_PORT_BASE : Number(given);
  if (!Number.isInteger(base) || base < 1024 || highestPort(base, regionCount) > 65_535) {
    throw new RuntimeFailure(`--port-base must leave all ports between 1024 and 65535; ${given} does not`);
  }
  return base;
}

/** What of the person's environment is meant for the service; HOMEWARD_LOCAL_… is meant for this runtime. An empty variable is none. */
function serviceOptions(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const options: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith('HOMEWARD_') && !name.startsWith('HOMEWARD_LOCAL_') && value !== undefined && value !== '') options[name] = value;
  }
  return options;
}
