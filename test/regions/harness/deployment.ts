import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../../apps/local/layout.js';

/** Where one started deployment is found; plain data, so that it can be handed to test workers. */
export interface Address {
  readonly portBase: number;
  readonly data: string;
  readonly regions: readonly string[];
}

/** Longest start on a busy machine: three regions for the first time. */
const START_MS = 180_000;
const STOP_MS = 30_000;
const ROOT = repositoryRoot();

/** A deployment of the local runtime in a process of its own, in a directory of its own. */
export class Runtime {
  private output = '';
  private constructor(
    readonly address: Address,
    private readonly child: ChildProcess,
    private readonly undo: () => void,
  ) {}

  /**
   * Starts `regions` and resolves when the runtime has said `ready`.
   * @param options.furnish puts something into the data directory before the first start, and returns what undoes it
   */
  static async start(options: { portBase: number; regions?: readonly string[]; env?: Record<string, string>; furnish?: (data: string) => () => void }): Promise<Runtime> {
    const regions = options.regions ?? ['east', 'west'];
    const data = mkdtempSync(join(tmpdir(), 'homeward-test-'));
    const undo = options.furnish?.(data) ?? (() => undefined);
    const flags = ['--port-base', String(options.portBase), '--data', data, '--regions', regions.join(',')];
    const env = Object.entries({ HOMEWARD_OPS_TOKEN: OPS_TOKEN, ...options.env }).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    const child = spawn(process.execPath, [join(ROOT, 'dist/apps/local/main.js'), ...flags, ...env], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const runtime = new Runtime({ portBase: options.portBase, data, regions }, child, undo);
    await runtime.untilReady();
    return runtime;
  }

  /** Stops everything and removes the data. @throws Error where the runtime did not end by itself */
  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    if (this.child.exitCode === null) {
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(late);
    }
    this.undo();
    rmSync(this.address.data, { recursive: true, force: true });
    if (this.child.exitCode !== 0) throw new Error(`the runtime ended with ${this.child.exitCode}:\n${this.output.slice(-2_000)}`);
  }

  private untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready in time:\n${this.output}`)), START_MS);
      const hear = (chunk: Buffer): void => {
        this.output += chunk.toString();
        if (!/^ready$/m.test(this.output)) return;
        clearTimeout(timer);
        resolve();
      };
      this.child.stdout!.on('data', hear);
      this.child.stderr!.on('data', hear);
      this.child.once('exit', (code) => reject(new Error(`the runtime ended with ${code} before it was ready:\n${this.output}`)));
    });
  }
}

/** The operator token of test deployments. */
export const OPS_TOKEN = 'operator-token-of-tests';
/** The one origin whose pages may read what the shared deployment answers. */
export const ORIGIN = 'https://app.example';

/** Connection string of a region's own database, as its superuser. */
export function databaseUrl({ portBase, data, regions }: Address, region: string): string {
  const { databasePassword } = JSON.parse(readFileSync(join(data, 'secrets.json'), 'utf8')) as { databasePassword: string };
  return `postgres://homeward:${databasePassword}@127.0.0.1:${portsOf(portBase, regions, region).postgres}/homeward`;
}

/** Ports of a region, by the plan that the runtime's table prints. */
export function portsOf(portBase: number, regions: readonly string[], region: string) {
  const base = portBase + 100 * (regions.indexOf(region) + 1);
  return { public: base, ops: base + 1, peer: base + 2, postgres: base + 3, redis: base + 4, kafka: base + 5 };
}
