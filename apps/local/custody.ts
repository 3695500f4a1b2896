import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { isAlive, killTree, markOf, type ProcessMark } from './processes.js';

const GUARDIAN = fileURLToPath(new URL('./guardian-child.js', import.meta.url));

/**
 * Keeps the list of every process that the runtime started in two places besides memory: with the guardian, which ends
 * them when the runtime is killed, and in a file, from which the next start ends what even that left.
 */
export class Custody {
  readonly #file: string;
  readonly #held = new Map<number, { mark: ProcessMark; stopSignal: NodeJS.Signals }>();
  #guardian: ChildProcess | undefined;
  #closed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Ends processes that an earlier start left behind. @returns how many there were. */
  endLeftovers(): number {
    const left = this.#readFile().filter((mark) => mark.started !== '' && isAlive(mark));
    for (const mark of left) killTree(mark.pid);
    return left.length;
  }

  open(): void {
    const guardian = spawn(process.execPath, [GUARDIAN], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], env: {} });
    this.#guardian = guardian;
    guardian.stdin?.on('error', () => undefined);
    guardian.on('exit', () => {
      if (!this.#closed) this.open();
    });
    guardian.unref();
    for (const charge of this.#held.values()) this.#tell({ started: charge });
  }

  /** To be called in the same turn as the spawn, so that no process is ever unknown. */
  take(child: ChildProcess, stopSignal: NodeJS.Signals): void {
    const pid = child.pid;
    if (pid === undefined) return;
    const charge = { mark: markOf(pid) ?? { pid, started: '' }, stopSignal };
    this.#held.set(pid, charge);
    this.#tell({ started: charge });
    this.#writeFile();
    child.once('exit', () => {
      this.#held.delete(pid);
      this.#tell({ ended: pid });
      this.#writeFile();
    });
  }

  /** Ends whatever still runs, by force; the guardian then has nothing left to do. */
  close(): void {
    this.#closed = true;
    for (const { mark } of this.#held.values()) if (isAlive(mark)) killTree(mark.pid);
    this.#guardian?.stdin?.end();
  }

  #tell(message: object): void {
    this.#guardian?.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  #readFile(): ProcessMark[] {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8')) as ProcessMark[];
    } catch {
      return [];
    }
  }

  #writeFile(): void {
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify([...this.#held.values()].map((charge) => charge.mark)));
      renameSync(`${this.#file}.new`, this.#file);
    } catch {
      // A full disk must not keep the runtime from starting or stopping anything; the guardian knows all the same.
    }
  }
}
