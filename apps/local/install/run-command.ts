import { spawn, type ChildProcess } from 'node:child_process';

import { RuntimeFailure } from '../failure.js';

/** What a failed program said last, of which a message shows so much. */
const SHOWN_CHARS = 1_500;
const KEPT_CHARS = 64 * 1024;

export interface RunOptions {
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly input?: string;
}

let onSpawn: (child: ChildProcess) => void = () => undefined;

/** Has every program that is run told to `listener` in the turn it starts, so that none outlives the runtime. */
export function watchCommands(listener: (child: ChildProcess) => void): void {
  onSpawn = listener;
}

/** Runs a program to its end. @returns its output, both kinds. @throws RuntimeFailure with its last output. */
export function runCommand(file: string, args: readonly string[], options: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], {
      cwd: options.cwd,
      env: { ...options.env },
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid }),
    });
    onSpawn(child);
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-KEPT_CHARS);
    };
    child.stdout!.on('data', keep);
    child.stderr!.on('data', keep);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new RuntimeFailure(`${file} can't be run: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(output);
      const how = signal === null ? `failed with exit code ${code}` : `was ended by ${signal}`;
      reject(new RuntimeFailure(`${file} ${args[0] ?? ''} ${how}:\n${output.slice(-SHOWN_CHARS)}`));
    });
  });
}
