import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { RuntimeFailure } from './failure.js';
import { isAlive, markOf, type ProcessMark } from './processes.js';

interface LockContent {
  readonly mark: ProcessMark;
  readonly portBase: number;
}

/** One runtime per deployment: a file that names the process that has it. */
export class Lock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /**
   * Takes the lock; one whose process is gone is taken over, and said so.
   * @throws RuntimeFailure when another runtime has it
   */
  static take(file: string, portBase: number, report: (line: string) => void): Lock {
    const own: LockContent = { mark: markOf(process.pid) ?? { pid: process.pid, started: '' }, portBase };
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, JSON.stringify(own), { mode: 0o600 });
    try {
      // Linking fails where the name exists, and the content is there from the first moment.
      for (;;) {
        try {
          linkSync(fresh, file);
          return new Lock(file);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
          Lock.#clear(file, report);
        }
      }
    } finally {
      rmSync(fresh, { force: true });
    }
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }

  static #clear(file: string, report: (line: string) => void): void {
    const found = Lock.#read(file);
    if (found !== undefined && isAlive(found.mark)) {
      throw new RuntimeFailure(
        `Homeward is running already (process ${found.mark.pid}, control on 127.0.0.1:${found.portBase}); stop it first, or start another with --data DIR and --port-base N`,
      );
    }
    report(`a stale lock file was left by process ${found?.mark.pid ?? 'unknown'}, which is gone; going on`);
    rmSync(file, { force: true });
  }

  static #read(file: string): LockContent | undefined {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as LockContent;
    } catch {
      return undefined;
    }
  }
}
