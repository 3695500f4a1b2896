import { createWriteStream, renameSync, statSync, type WriteStream } from 'node:fs';
import type { Readable } from 'node:stream';

import { saysDiskFull } from './failure.js';

/** A file is renamed to `.1` at this size, over the one before: a part's log never takes more than twice as much. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** What is shown of a part that died. */
const TAIL_LINES = 12;
const MAX_LINE_CHARS = 400;

/** The bounded log of one part: its standard output and error in a file, its last lines in memory. */
export class Journal {
  readonly path: string;
  #file: WriteStream | undefined;
  #bytes = 0;
  #tail: string[] = [];
  #saidDiskFull = false;

  constructor(path: string) {
    this.path = path;
  }

  get tail(): readonly string[] {
    return this.#tail;
  }

  /** Whether it ever said so, however much it said after that. */
  get saidDiskFull(): boolean {
    return this.#saidDiskFull;
  }

  /** Forgets the last lines: they are of an earlier process. */
  startOver(): void {
    this.#tail = [];
    this.#saidDiskFull = false;
  }

  follow(stream: Readable): void {
    let unfinished = '';
    stream.on('data', (chunk: Buffer) => {
      this.#write(chunk);
      const lines = (unfinished + chunk.toString('utf8')).split('\n');
      unfinished = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS);
      for (const line of lines) this.#remember(line);
    });
    stream.on('end', () => {
      if (unfinished !== '') this.#remember(unfinished);
    });
    stream.on('error', () => undefined);
  }

  close(): void {
    this.#file?.end();
    this.#file = undefined;
  }

  #remember(line: string): void {
    if (line.trim() === '') return;
    this.#saidDiskFull ||= saysDiskFull(line);
    this.#tail.push(line.slice(0, MAX_LINE_CHARS));
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
  }

  #write(chunk: Buffer): void {
    if (this.#file === undefined) this.#open();
    this.#file!.write(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < MAX_FILE_BYTES) return;
    this.close();
    try {
      renameSync(this.path, `${this.path}.1`);
    } catch {
      // It is gone already; the next line makes a new one.
    }
  }

  #open(): void {
    this.#bytes = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
    this.#file = createWriteStream(this.path, { flags: 'a', mode: 0o600 });
    // A full disk shows in the part itself; the log must not bring the runtime down.
    this.#file.on('error', () => undefined);
  }
}
