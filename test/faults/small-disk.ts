import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

const FILLER = 'filler';

/** A file system of its own in memory, so that it can be filled and nothing else is. Mounting asks for root. */
export class SmallDisk {
  private constructor(readonly directory: string) {}

  static mount(directory: string, bytes: number): SmallDisk {
    mkdirSync(directory, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'homeward-test', directory]);
    return new SmallDisk(directory);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }

  /** Takes what is free but for so much. */
  fillTo(freeBytes: number): void {
    this.empty();
    execFileSync('fallocate', ['-l', String(Math.max(1, this.freeBytes - freeBytes)), join(this.directory, FILLER)]);
  }

  /** Gives back what was taken. */
  empty(): void {
    rmSync(join(this.directory, FILLER), { force: true });
  }

  unmount(): void {
    execFileSync('umount', [this.directory]);
  }
}
