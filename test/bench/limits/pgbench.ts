import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Captured } from './create-account.js';

/** Where pgbench may be; the npm package of PostgreSQL does not bring it. */
const PLACES = ['/usr/bin/pgbench', '/usr/local/bin/pgbench', '/opt/homebrew/bin/pgbench'];
/** PostgreSQL's number of a value as the captured statement has it: the id and the identifier are new in each transaction. */
const NEW_ID = 'uuidv7()';
const NEW_IDENTIFIER = "('pgbench-' || uuidv7())";

/** What runs a statement with nothing around it, and what it is. */
export interface BareLoop {
  readonly name: string;
  run(seconds: number): Promise<number>;
}

/** pgbench with the same statement, prepared; a bare loop of pg where there is no pgbench. */
export function bareLoop(url: string, captured: Captured, clients: number): BareLoop {
  const place = PLACES.find((path) => existsSync(path));
  if (place === undefined) return { name: 'bare pg, the same statement', run: (seconds) => pgLoop(url, captured, clients, seconds) };
  return { name: 'pgbench, the same statement', run: (seconds) => pgbench(place, url, captured, clients, seconds) };
}

async function pgbench(file: string, url: string, captured: Captured, clients: number, seconds: number): Promise<number> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const scratch = mkdtempSync(join(tmpdir(), 'homeward-pgbench-'));
  const script = join(scratch, 'create-account.sql');
  const { text, variables } = asScript(captured);
  writeFileSync(script, text);
  const defined = Object.entries(variables).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
  const flags = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-f', script, ...defined];
  try {
    const output = await outputOf(file, [...flags, '-h', hostname, '-p', port, '-U', username, pathname.slice(1)], { PGPASSWORD: password, LC_ALL: 'C', PATH: '/usr/bin:/bin' });
    const found = /tps = ([\d.]+)/.exec(output)?.[1];
    if (found === undefined) throw new Error(`pgbench told no rate:\n${output}`);
    return Number(found);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The statement in pgbench's words: values by name, an absent one as NULL, since pgbench's variables can't be that. */
function asScript({ statement, values }: Captured): { text: string; variables: Record<string, string> } {
  const variables: Record<string, string> = {};
  const text = statement.text.replace(/\$(\d+)/g, (_, digits: string) => {
    const number = Number(digits);
    if (number === 1) return NEW_ID;
    if (number === 2) return NEW_IDENTIFIER;
    const value = values[number - 1];
    if (value === null || value === undefined) return 'NULL';
    variables[`v${number}`] = Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : String(value);
    return `:v${number}`;
  });
  return { text: `${text.replaceAll(/\s+/g, ' ').trim()};\n`, variables };
}

function outputOf(file: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve(output) : reject(new Error(`pgbench ended with ${code}:\n${output}`))));
  });
}

async function pgLoop(url: string, { statement, values }: Captured, clients: number, seconds: number): Promise<number> {
  const text = statement.text.replace('$1,', `${NEW_ID},`).replace('$2,', `${NEW_IDENTIFIER},`).replace(/\$(\d+)/g, (_, digits: string) => `$${Number(digits) - 2}`);
  const untilMs = performance.now() + seconds * 1_000;
  let done = 0;
  await Promise.all(Array.from({ length: clients }, async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    while (performance.now() < untilMs) {
      await client.query({ name: statement.name, text, values: values.slice(2) });
      done += 1;
    }
    await client.end();
  }));
  return done / seconds;
}
