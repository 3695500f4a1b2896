import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureInstalled } from '../../apps/local/install.js';
import { evenTable, homeOf, slotOf } from '#kernel/routing';
import { partsDirectory, repositoryRoot } from '../../apps/local/layout.js';
import { portBase } from '../regions/harness/config.js';
import { Runtime } from '../regions/harness/deployment.js';
import { World } from '../regions/harness/world.js';

/** Test cases of each operation and phase, and the bound of the whole run: minutes on two cores. */
const EXAMPLES = 60;
const MOST_SECONDS = 120;
/** Beyond it schemathesis itself hangs. */
const STUCK_MS = 280_000;
/** The document's own example. */
const EXAMPLE = { identifier: 'ada@example.com', password: 'violet-otter-42' };
const FILES = join(repositoryRoot(), 'test/api');

/**
 * `npm run test:api`: schemathesis, made from PyPI in an environment of its own, against the published document of a running deployment of
 * two regions. Ends with 0 where every answer was as the document says and none was a 5xx. `npm run test:api -- SEED` repeats a run.
 */
async function main(): Promise<number> {
  const seed = Number(process.argv[2] ?? randomInt(2 ** 31));
  const program = ensureSchemathesis();
  if (program === undefined) return 1;
  await ensureInstalled((line) => process.stdout.write(`${line}\n`));
  const scratch = mkdtempSync(join(tmpdir(), 'homeward-api-'));
  const runtime = await Runtime.start({ portBase, env: { HOMEWARD_ATTEMPTS_PER_ADDRESS: '1000000', HOMEWARD_ATTEMPTS_PER_IDENTIFIER: '1000000' } });
  try {
    const world = new World(runtime.address);
    const region = homeOf(evenTable([...world.regions]), slotOf(EXAMPLE.identifier));
    const base = `http://127.0.0.1:${world.ports(region).public}`;
    process.stdout.write(`schemathesis, seed ${seed}; again with: npm run test:api -- ${seed}\n`);
    const flags = ['--config-file', join(FILES, 'schemathesis.toml'), 'run', `${base}/openapi.json`, '--seed', String(seed), '--max-examples', String(EXAMPLES),
      '--max-time', String(MOST_SECONDS), '--generation-database', 'none', '--no-color', '--continue-on-failure'];
    return await run(program, flags, scratch, { API_BASE: base, API_USERS: JSON.stringify(await users(world, region)), SCHEMATHESIS_HOOKS: 'sessions', PYTHONPATH: FILES });
  } finally {
    await runtime.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * A user for each operation that would disturb the others. Their home is the region that is asked, as the example's is: what is tried again and
 * again with one identifier elsewhere is answered `overloaded`, since second reads of it are bounded.
 */
async function users(world: World, region: string): Promise<Record<string, object>> {
  const made = async (): Promise<{ identifier: string; password: string }> => {
    const user = { identifier: world.identifier(region), password: EXAMPLE.password };
    const answer = await world.api(region, 'POST', '/v1/accounts', { body: user });
    if (answer.status !== 201) throw new Error(`registration answered ${answer.status}: ${answer.text}`);
    return user;
  };
  const changing = await made();
  return { others: await made(), 'DELETE /v1/sessions': await made(), 'PUT /v1/password': { ...changing, token: await world.signIn(region, changing) } };
}

/** @returns the program, made where it is missing; undefined, and said why, where it can't be made */
function ensureSchemathesis(): string | undefined {
  const requirements = join(FILES, 'requirements.txt');
  const version = /^schemathesis==(.+)$/m.exec(readFileSync(requirements, 'utf8'))![1]!;
  const environment = join(partsDirectory(), `schemathesis-${version}`);
  const program = join(environment, 'bin/st');
  if (existsSync(program)) return program;
  const python = spawnSync('python3', ['-c', 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))'], { stdio: 'ignore' });
  if (python.status !== 0) {
    process.stderr.write('npm run test:api needs Python 3.10 or newer with its venv module (Debian and Ubuntu: apt install python3-venv)\n');
    return undefined;
  }
  process.stdout.write(`schemathesis ${version} is installed to ${environment}\n`);
  const made = spawnSync('python3', ['-m', 'venv', '--clear', environment], { stdio: 'inherit' }).status === 0
    && spawnSync(join(environment, 'bin/python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements], { stdio: 'inherit' }).status === 0;
  if (made) return program;
  rmSync(environment, { recursive: true, force: true });
  process.stderr.write('schemathesis could not be installed from PyPI\n');
  return undefined;
}

function run(program: string, flags: readonly string[], cwd: string, env: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, flags, { cwd, env: { PATH: '/usr/bin:/bin', HOME: cwd, ...env }, stdio: ['ignore', 'inherit', 'inherit'] });
    const stuck = setTimeout(() => child.kill('SIGKILL'), STUCK_MS);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    child.on('exit', (code) => {
      clearTimeout(stuck);
      resolve(code ?? 1);
    });
  });
}

process.exitCode = await main();
