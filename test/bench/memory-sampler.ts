import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const EVERY_MS = 500;
const KIB = 1_024;
const MB = 1_000_000;
const NONE: Memory = { serviceMb: 0, hashingMb: 0 };

/** What a region's service holds, in MB. */
export interface Memory {
  /** Resident memory of the service's process, the program's own pages included. */
  readonly serviceMb: number;
  /** What its hashing process holds beside that: the program's pages, which both share, are counted in the service. */
  readonly hashingMb: number;
}

/** Both together. */
export function total({ serviceMb, hashingMb }: Memory): number {
  return serviceMb + hashingMb;
}

/** Reads what the services of a deployment hold in memory, and remembers the most it saw. Linux only: it reads /proc. */
export class MemorySampler {
  private readonly services = new Map<string, { service: number; child: number | undefined }>();
  private readonly most = new Map<string, Memory>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly data: string,
    private readonly regions: readonly string[],
  ) {}

  start(): void {
    this.timer = setInterval(() => this.sample(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** What a region's service holds now. */
  now(region: string): Memory {
    const { service, child } = this.find(region);
    const hashing = child === undefined ? undefined : read(child);
    return { serviceMb: read(service).residentMb, hashingMb: hashing === undefined ? 0 : hashing.residentMb - hashing.fileMb };
  }

  /** The most that was seen at once. */
  peak(region: string): Memory {
    return this.most.get(region) ?? this.now(region);
  }

  private sample(): void {
    for (const region of this.regions) {
      try {
        const seen = this.now(region);
        if (total(seen) > total(this.most.get(region) ?? NONE)) this.most.set(region, seen);
      } catch {
        // It is being started or stopped; the next look finds it.
        this.services.delete(region);
      }
    }
  }

  private find(region: string): { service: number; child: number | undefined } {
    const known = this.services.get(region);
    if (known !== undefined) return known;
    const directory = join(this.data, 'regions', region, 'api');
    const here = readdirSync('/proc').map(Number).filter((pid) => Number.isInteger(pid) && worksIn(pid, directory));
    const service = here.find((pid) => commandOf(pid).includes('apps/region/main.js'));
    if (service === undefined) throw new Error(`the service of ${region} does not run`);
    const found = { service, child: here.find((pid) => commandOf(pid).includes('hash-child')) };
    this.services.set(region, found);
    return found;
  }
}

function worksIn(pid: number, directory: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === directory;
  } catch {
    return false;
  }
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

/** The kernel's own counters: to add up the pages instead would stop the process for milliseconds. */
function read(pid: number): { residentMb: number; fileMb: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number => (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * KIB) / MB;
  return { residentMb: of('VmRSS'), fileMb: of('RssFile') };
}
