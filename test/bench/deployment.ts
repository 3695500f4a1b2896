import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../apps/local/layout.js';
import { type Address, OPS_TOKEN } from '../regions/harness/deployment.js';

const REGIONS = ['east', 'west'];
const START_MS = 120_000;
const STOP_MS = 30_000;

/** The bench's own two regions. The harness's `Runtime` finds the program from the sources only, this runs compiled. */
export class BenchDeployment {
  private constructor(
    readonly address: Address,
    private readonly child: ChildProcess,
  ) {}

  /** Resolves when the runtime has said `ready`. @throws Error with what it said instead */
  static async start(portBase: number): Promise<BenchDeployment> {
    const data = mkdtempSync(join(tmpdir(), 'homeward-bench-'));
    const flags = ['--port-base', String(portBase), '--data', data, '--regions', REGIONS.join(','), '--env', `HOMEWARD_OPS_TOKEN=${OPS_TOKEN}`];
    const child = spawn(process.execPath, [join(repositoryRoot(), 'dist/apps/local/main.js'), ...flags], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    let output = '';
    const ready = new Promise<void>((resolve) => child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (/^ready$/m.test(output)) resolve();
    }));
    const late = new Promise((resolve) => setTimeout(resolve, START_MS, 'late').unref());
    const outcome = await Promise.race([ready, once(child, 'exit').then(() => 'ended'), late]);
    const deployment = new BenchDeployment({ portBase, data, regions: REGIONS }, child);
    if (outcome === undefined) return deployment;
    await deployment.stop();
    throw new Error(`the deployment did not start (${String(outcome)}):\n${output}`);
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.address.data, { recursive: true, force: true });
  }
}
