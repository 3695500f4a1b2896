import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { programEnvironment } from '../config.js';
import { runsAsRoot } from '../layout.js';
import { findProgram } from './programs.js';
import { runCommand } from './run-command.js';

const UPDATE_MS = 5 * 60_000;
const INSTALL_MS = 15 * 60_000;
const QUERY_MS = 30_000;
const POLICY = '/usr/sbin/policy-rc.d';
const OUR_POLICY = '#!/bin/sh\n# Written by Homeward while it installs packages: no service is started.\nexit 101\n';

/** Whether packages can be installed here without asking anybody. */
export function canUseApt(): boolean {
  return runsAsRoot() && existsSync('/etc/debian_version') && findProgram(['apt-get']) !== undefined;
}

/**
 * Installs packages, of each list the first name that the distribution knows. No service is started by it.
 * @throws RuntimeFailure with what apt said
 */
export async function aptInstall(choices: readonly (readonly string[])[]): Promise<void> {
  const env = programEnvironment({ DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' });
  await runCommand('apt-get', ['update', '-q', '-o', 'DPkg::Lock::Timeout=120'], { env, timeoutMs: UPDATE_MS });
  const names: string[] = [];
  for (const choice of choices) names.push(await firstKnown(choice, env));
  const restore = forbidServices();
  try {
    const args = ['install', '-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...names];
    await runCommand('apt-get', args, { env, timeoutMs: INSTALL_MS });
  } finally {
    restore();
  }
}

async function firstKnown(choice: readonly string[], env: Record<string, string>): Promise<string> {
  for (const name of choice.slice(0, -1)) {
    const said = await runCommand('apt-cache', ['policy', name], { env, timeoutMs: QUERY_MS });
    if (/Candidate: (?!\(none\))/.test(said)) return name;
  }
  return choice.at(-1)!;
}

/** A policy that is there stays; ours goes when the installation is over, one left by an interrupted start as well. */
function forbidServices(): () => void {
  if (existsSync(POLICY) && readFileSync(POLICY, 'utf8') !== OUR_POLICY) return () => undefined;
  writeFileSync(POLICY, OUR_POLICY, { mode: 0o755 });
  return () => rmSync(POLICY, { force: true });
}
