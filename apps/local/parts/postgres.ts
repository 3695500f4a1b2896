import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { programEnvironment } from '../config.js';
import type { Layout } from '../layout.js';
import type { OsUser } from '../install/postgres-binaries.js';
import { runCommand } from '../install/run-command.js';
import type { RegionCertificate } from '../certificates.js';
import { markOf } from '../processes.js';
import { ask } from './ask.js';
import type { PartCommand, PartProgram } from './part.js';
import { hostRules, peerMap, postgresConfiguration, setupStatements } from './postgres-files.js';

/** A checkpoint's worth of initdb on a slow disk. */
const INITDB_MS = 60_000;
const TAIL_BYTES = 8_192;
const TAIL_LINES = 8;

export interface PostgresOptions {
  readonly region: string;
  readonly peers: readonly string[];
  readonly port: number;
  readonly password: string;
  readonly binaries: string;
  /** The user it runs as, where the runtime is root. */
  readonly user: OsUser | undefined;
  readonly certificate: RegionCertificate;
}

/** A region's PostgreSQL: made at its first start, with the settings that `recovery.md` and `parts.md` measured. */
export class PostgresPart implements PartProgram {
  readonly name = 'postgres';
  readonly region: string;
  readonly logPath: string;
  /** A fast shutdown: SIGTERM would wait for every client to leave by itself. */
  readonly stopSignal = 'SIGINT';
  readonly startMs = 60_000;
  readonly #options: PostgresOptions;
  readonly #home: string;
  readonly #report: (line: string) => void;

  constructor(layout: Layout, options: PostgresOptions, report: (line: string) => void) {
    this.region = options.region;
    this.logPath = layout.log(options.region, 'postgres');
    this.#options = options;
    this.#home = layout.postgres(options.region);
    this.#report = report;
  }

  /** Where its copies of the region's certificate lie, readable by the user that it runs as. */
  static tlsPaths(layout: Layout, region: string): { ca: string; cert: string; key: string } {
    const directory = join(layout.postgres(region), 'tls');
    return { ca: join(directory, 'ca.crt'), cert: join(directory, 'region.crt'), key: join(directory, 'region.key') };
  }

  async prepare(): Promise<void> {
    this.#ownDirectory(this.#home);
    this.#copyCertificate();
    if (!existsSync(join(this.#data, 'PG_VERSION'))) await this.#initialise();
    const { region, peers, port } = this.#options;
    this.#write(join(this.#data, 'postgresql.conf'), postgresConfiguration(region, peers.length + 1, port, join(this.#home, 'tls')));
    this.#write(join(this.#data, 'pg_hba.conf'), hostRules(peers));
    this.#write(join(this.#data, 'pg_ident.conf'), peerMap(peers));
    this.#forgetOldLogs();
    this.#clearStalePid();
  }

  command(): PartCommand {
    const { binaries, user } = this.#options;
    return {
      file: join(binaries, 'bin', 'postgres'),
      args: ['-D', this.#data],
      env: this.#environment(),
      cwd: this.#home,
      uid: user?.uid,
      gid: user?.gid,
    };
  }

  /** It answers when it asks a client who it is: while it starts, it refuses before that. */
  probe(deadlineMs: number): Promise<boolean> {
    const startup = Buffer.from('\0\x03\0\0user\0homeward\0database\0homeward\0\0', 'latin1');
    const length = Buffer.alloc(4);
    length.writeInt32BE(startup.length + 4);
    return ask(this.#options.port, Buffer.concat([length, startup]), (received) => received[0] === 0x52, deadlineMs);
  }

  /** The newest lines of its own log: standard output holds only what came before that was opened. */
  lastLines(): readonly string[] {
    const newest = this.#logFiles().at(-1);
    if (newest === undefined) return [];
    const lines = readFileSync(newest, 'utf8').slice(-TAIL_BYTES).split('\n').slice(0, -1).slice(-TAIL_LINES);
    return lines.map((line) => {
      const entry = parseEntry(line);
      return entry === undefined ? line : `${entry.timestamp} ${entry.error_severity}: ${entry.message}`;
    });
  }

  get #data(): string {
    return join(this.#home, 'data');
  }

  #environment(): Record<string, string> {
    return programEnvironment({ TZ: 'UTC', LC_ALL: 'C' });
  }

  #copyCertificate(): void {
    const directory = join(this.#home, 'tls');
    this.#ownDirectory(directory);
    const { ca, cert, key } = this.#options.certificate;
    this.#write(join(directory, 'ca.crt'), readFileSync(ca, 'utf8'));
    this.#write(join(directory, 'region.crt'), readFileSync(cert, 'utf8'));
    this.#write(join(directory, 'region.key'), readFileSync(key, 'utf8'));
  }

  /** Makes the cluster beside its place and moves it there whole, so that an interrupted one is never taken for one. */
  async #initialise(): Promise<void> {
    const { binaries, user, peers, password } = this.#options;
    const fresh = join(this.#home, 'data.new');
    const passwordFile = join(this.#home, 'password');
    rmSync(fresh, { recursive: true, force: true });
    this.#write(passwordFile, `${password}\n`);
    const run = { env: this.#environment(), cwd: this.#home, uid: user?.uid, gid: user?.gid, timeoutMs: INITDB_MS };
    const initdb = ['-D', fresh, '-U', 'homeward', `--pwfile=${passwordFile}`, '-A', 'scram-sha-256', '-E', 'UTF8', '--no-instructions'];
    await runCommand(join(binaries, 'bin', 'initdb'), [...initdb, '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'], run);
    await runCommand(join(binaries, 'bin', 'postgres'), ['--single', '-D', fresh, 'postgres'], { ...run, input: setupStatements(peers) });
    rmSync(passwordFile);
    renameSync(fresh, this.#data);
  }

  /** A process of that number may have nothing to do with this cluster; then PostgreSQL would refuse to start. */
  #clearStalePid(): void {
    const file = join(this.#data, 'postmaster.pid');
    if (!existsSync(file)) return;
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
    if (markOf(pid) !== undefined && isPostgresOf(pid, this.#data)) return;
    this.#report(`${this.region} postgres: removed a stale postmaster.pid (process ${pid} is gone)`);
    rmSync(file);
  }

  #logFiles(): string[] {
    const directory = join(this.#data, 'log');
    if (!existsSync(directory)) return [];
    const files = readdirSync(directory).filter((name) => name.endsWith('.json')).map((name) => join(directory, name));
    return files.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
  }

  /** File names follow the minute of a start; without this, many starts would fill all sixty. */
  #forgetOldLogs(): void {
    for (const file of this.#logFiles().slice(0, -2)) rmSync(file, { force: true });
  }

  #ownDirectory(path: string): void {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#own(path);
  }

  #write(path: string, content: string): void {
    writeFileSync(path, content, { mode: 0o600 });
    this.#own(path);
  }

  #own(path: string): void {
    const { user } = this.#options;
    if (user !== undefined) chownSync(path, user.uid, user.gid);
  }
}

function parseEntry(line: string): { timestamp: string; error_severity: string; message: string } | undefined {
  try {
    return JSON.parse(line) as { timestamp: string; error_severity: string; message: string };
  } catch {
    return undefined;
  }
}

/** On Linux the command line tells; elsewhere a running process of that number is believed to be the one. */
function isPostgresOf(pid: number, data: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data);
  } catch {
    return !existsSync('/proc/self');
  }
}
