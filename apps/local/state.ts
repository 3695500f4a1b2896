import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statfsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

import { FIRST_INCARNATION } from '#kernel/ids';
import { RuntimeFailure } from './failure.js';
import type { Layout } from './layout.js';
import { portUses, type PortPlan } from './ports.js';

/** Less than this and a region's own reserve would refuse writes soon after the start. */
const LEAST_FREE_BYTES = 512 * 1024 * 1024;
const DEFAULT_REGIONS = ['east', 'west'];

/** What is made once per deployment and known to nobody else. */
export interface Secrets {
  readonly opsToken: string;
  readonly databasePassword: string;
  readonly redisPassword: string;
}

/** What is kept of the deployment itself. */
interface Stored {
  readonly regions: string[];
  /** Of regions that were rebuilt; every other one is the first. */
  readonly incarnations?: Readonly<Record<string, number>>;
  /** Its data are being forgotten: an interrupted rebuild goes on at the next start. */
  readonly forgetting?: string;
}

/** The deployment's regions: those stored, or at its first start those asked for. @throws RuntimeFailure if they differ */
export function settleRegions(layout: Layout, asked: readonly string[] | undefined): string[] {
  if (!existsSync(layout.deployment)) {
    const regions = [...(asked ?? DEFAULT_REGIONS)];
    writePrivate(layout.deployment, JSON.stringify({ regions } satisfies Stored));
    return regions;
  }
  const { regions, forgetting } = readStored(layout);
  if (forgetting !== undefined) finishForgetting(layout, forgetting);
  if (asked !== undefined && asked.join() !== regions.join()) {
    throw new RuntimeFailure(
      `this deployment has the regions ${regions.join(',')}, not ${asked.join(',')}; they are chosen at the first start: add --fresh to forget its data and begin anew`,
    );
  }
  return regions;
}

/** Which incarnation each region is. */
export function incarnationsOf(layout: Layout): Record<string, number> {
  const { regions, incarnations } = readStored(layout);
  return Object.fromEntries(regions.map((region) => [region, incarnations?.[region] ?? FIRST_INCARNATION]));
}

/** Forgets what is left of a region's data; what starts next is its next incarnation. */
export function beginNextIncarnation(layout: Layout, region: string): void {
  const stored = readStored(layout);
  const incarnations = { ...stored.incarnations, [region]: incarnationsOf(layout)[region]! + 1 };
  writePrivate(layout.deployment, JSON.stringify({ ...stored, incarnations, forgetting: region } satisfies Stored));
  finishForgetting(layout, region);
}

function finishForgetting(layout: Layout, region: string): void {
  layout.clearRegion(region);
  const { forgetting: _, ...stored } = readStored(layout);
  writePrivate(layout.deployment, JSON.stringify(stored satisfies Stored));
}

function readStored(layout: Layout): Stored {
  return JSON.parse(readFileSync(layout.deployment, 'utf8')) as Stored;
}

/** Reads the deployment's secrets, or makes them. The keys of session ids lie in a file of their own, for the services. */
export function ensureSecrets(layout: Layout): Secrets {
  if (!existsSync(layout.macKeys)) {
    writePrivate(layout.macKeys, JSON.stringify([{ id: 1, secret: randomBytes(32).toString('base64url') }]));
  }
  if (!existsSync(layout.secrets)) {
    const made: Secrets = { opsToken: secret(), databasePassword: secret(), redisPassword: secret() };
    writePrivate(layout.secrets, JSON.stringify(made));
  }
  return JSON.parse(readFileSync(layout.secrets, 'utf8')) as Secrets;
}

/** Hexadecimal, so that it is the same in a URL, in a configuration file and on a command line. */
function secret(): string {
  return randomBytes(24).toString('hex');
}

function writePrivate(file: string, content: string): void {
  writeFileSync(`${file}.new`, content, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** @throws RuntimeFailure that names the directory, if its disk is nearly full. */
export function checkRoom(directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  if (free < LEAST_FREE_BYTES) {
    throw new RuntimeFailure(
      `the disk of ${directory} is full: ${Math.floor(free / 1024 / 1024)} MiB are free, ${LEAST_FREE_BYTES / 1024 / 1024} MiB are needed; free some, or choose another place with --data`,
    );
  }
}

/** @throws RuntimeFailure that names each port of the plan that something else listens on, and what it is for. */
export async function checkPorts(plan: PortPlan): Promise<void> {
  const beyond = portUses(plan).find((one) => one.port > 65_535);
  if (beyond !== undefined) throw new RuntimeFailure(`port ${beyond.port} (${beyond.use}) does not exist; choose a lower --port-base`);
  const checked = await Promise.all(portUses(plan).map(async (one) => ((await isFree(one.port)) ? [] : [one])));
  const taken = checked.flat();
  if (taken.length === 0) return;
  const list = taken.map((one) => `${one.port} (${one.use})`).join(', ');
  throw new RuntimeFailure(`port${taken.length === 1 ? '' : 's'} ${list} taken by another program; stop it, or choose other ports with --port-base`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}
