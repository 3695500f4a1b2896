import { type ChildProcess, spawn } from 'node:child_process';
import { type ProcessMark, descendantsOf, isAlive, markOf } from '../../../apps/local/processes.js';
import { OPS_TOKEN } from './deployment.js';
import { eventually } from './eventually.js';

const MAIN = new URL('../../../dist/apps/local/main.js', import.meta.url).pathname;
const READY_MS = 120_000;
const ENDED_MS = 20_000;

/** One start of the local runtime, whichever way it ends. */
export class Launch {
  output = '';
  private readonly exited: Promise<number | null>;

  private constructor(private readonly child: ChildProcess) {
    const hear = (chunk: Buffer): void => void (this.output += chunk.toString());
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    this.exited = new Promise((resolve) => child.once('close', (code) => resolve(code)));
  }

  static of(args: readonly string[]): Launch {
    return new Launch(spawn(process.execPath, [MAIN, ...args, '--env', `HOMEWARD_OPS_TOKEN=${OPS_TOKEN}`], { stdio: ['ignore', 'pipe', 'pipe'], detached: true }));
  }

  /** Until it has said `ready`. @throws Error with what it said where it ended before */
  async untilReady(): Promise<void> {
    await eventually(() => {
      if (this.child.exitCode !== null) return;
      if (!/^ready$/m.test(this.output)) throw new Error(`not ready:\n${this.output}`);
    }, READY_MS);
    if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}:\n${this.output}`);
  }

  /** Its exit code, once it has ended; null where a signal ended it. */
  async ended(): Promise<number | null> {
    await eventually(() => {
      if (this.child.exitCode === null && this.child.signalCode === null) throw new Error(`still runs:\n${this.output}`);
    }, READY_MS);
    return this.exited;
  }

  /** It and every process below it. */
  processes(): ProcessMark[] {
    return [this.child.pid!, ...descendantsOf(this.child.pid!)].flatMap((pid) => markOf(pid) ?? []);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Until none of these processes runs. */
export function untilGone(marks: readonly ProcessMark[]): Promise<void> {
  return eventually(() => {
    const left = marks.filter(isAlive);
    if (left.length > 0) throw new Error(`still running: ${left.map(({ pid }) => pid).join(', ')}`);
  }, ENDED_MS);
}
