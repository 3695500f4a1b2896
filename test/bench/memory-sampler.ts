import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const EVERY_MS = 500;
const KIB = 1_024;
const MB = 1_000_000;

/** A region's service: the process and its hashing child, in MB. */
export interface Memory {
  /** Resident, pages that processes share counted in each. */
  readonly residentMb: number;
  /** Proportional: each shared page counted once. */
  readonly proportionalMb: number;
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
    const parts = [service, ...(child === undefined ? [] : [child])].map(ofProcess);
    return { residentMb: sum(parts.map(({ residentMb }) => residentMb)), proportionalMb: sum(parts.map(({ proportionalMb }) => proportionalMb)) };
  }

  /** What each of the two processes holds now, resident, in MB. */
  split(region: string): { service: number; child: number } {
    const { service, child } = this.find(region);
    return { service: ofProcess(service).residentMb, child: child === undefined ? 0 : ofProcess(child).residentMb };
  }

  /** The most that was seen at once since `forget`. */
  peak(region: string): Memory {
    return this.most.get(region) ?? this.now(region);
  }

  forget(): void {
    this.most.clear();
  }

  private sample(): void {
    for (const region of this.regions) {
      try {
        const seen = this.now(region);
        if (seen.residentMb > (this.most.get(region)?.residentMb ?? 0)) this.most.set(region, seen);
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

function ofProcess(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const read = (name: string): number => (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * KIB) / MB;
  return { residentMb: read('Rss'), proportionalMb: read('Pss') };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
