import { accessSync, constants, existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

import { programEnvironment } from '../config.js';
import { runCommand } from './run-command.js';

/** Kafka 4 runs on this and newer. */
export const OLDEST_JAVA = 17;
const VERSION_MS = 20_000;
/** Where programs are that a service manager's short PATH doesn't name. */
const MORE_PLACES = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/opt/homebrew/bin'];

/** The first of these programs that this machine has. */
export function findProgram(names: readonly string[]): string | undefined {
  const places = [...(programEnvironment()['PATH'] ?? '').split(delimiter), ...MORE_PLACES];
  for (const name of names) {
    for (const place of places) {
      const file = join(place, name);
      if (place !== '' && isExecutable(file)) return file;
    }
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A Java of at least 17: the one in JAVA_HOME or PATH, else wherever distributions and Homebrew put them. */
export async function findJava(): Promise<string | undefined> {
  const home = programEnvironment()['JAVA_HOME'];
  const named = [home === undefined ? undefined : join(home, 'bin', 'java'), findProgram(['java'])];
  for (const candidate of new Set([...named, ...installedJavas()])) {
    if (candidate !== undefined && isExecutable(candidate) && (await javaVersion(candidate)) >= OLDEST_JAVA) return candidate;
  }
  return undefined;
}

function installedJavas(): string[] {
  const found: string[] = [];
  for (const directory of ['/usr/lib/jvm', '/opt/homebrew/opt', '/usr/local/opt']) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory)) {
      if (/java|jdk|jre/i.test(name)) found.push(join(directory, name, 'bin', 'java'));
    }
  }
  return found;
}

async function javaVersion(java: string): Promise<number> {
  // A JDK says its version in a file beside its bin, which is quicker than starting it.
  const release = join(dirname(realpathSync(java)), '..', 'release');
  const stated = existsSync(release) ? /JAVA_VERSION="(\d+)/.exec(readFileSync(release, 'utf8')) : null;
  if (stated !== null) return Number(stated[1]);
  const output = await runCommand(java, ['-version'], { env: programEnvironment(), timeoutMs: VERSION_MS }).catch(() => '');
  return Number(/version "(\d+)/.exec(output)?.[1] ?? 0);
}
