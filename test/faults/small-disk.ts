import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FILLER = 'filler';

/** A file system of its own in memory, so that it can be filled and nothing else is. Mounting asks for root. */
export class SmallDisk {
  private constructor(readonly directory: string) {}

  /** Why none can be mounted here; undefined where one can. */
  static whyNot(): string | undefined {
    const directory = mkdtempSync(join(tmpdir(), 'homeward-disk-'));
    try {
      SmallDisk.mount(directory, 4_096).unmount();
      return undefined;
    } catch (error) {
      return `mounting a disk asks for root: ${(error as Error).message.split('\n').at(1) ?? (error as Error).message}`;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  static mount(directory: string, bytes: number): SmallDisk {
    mkdirSync(directory, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'homeward-test', directory], { stdio: 'pipe' });
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
