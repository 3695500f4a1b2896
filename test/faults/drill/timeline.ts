import type { AppliedFault } from './history.js';

const PARTS = ['api', 'postgres', 'redis', 'kafka'];

/** The name of the link between two regions, whichever is named first. */
export function linkBetween(a: string, b: string): string {
  return `link:${[a, b].sort().join('/')}`;
}

/** Everything of a region that can be at fault. */
export function partsOf(region: string): string[] {
  return PARTS.map((part) => `${region}/${part}`);
}

/** Everything that can keep these regions from agreeing: their parts and the links between them. */
export function everythingOf(...regions: readonly string[]): string[] {
  const links = regions.flatMap((a) => regions.filter((b) => a < b).map((b) => linkBetween(a, b)));
  return [...regions.flatMap(partsOf), ...links];
}

/** What a fault is a fault of; a wrong clock stops nothing. */
export function faultyParts({ fault }: Pick<AppliedFault, 'fault'>): string[] {
  switch (fault.fault) {
    case 'cut':
    case 'slow': return [linkBetween(...fault.between)];
    case 'clock': return [];
    case 'kill':
    case 'freeze': return fault.part === 'all' ? partsOf(fault.region) : [`${fault.region}/${fault.part}`];
  }
}

/** The faults as they came and went, to be asked about moments. */
export class Timeline {
  constructor(private readonly faults: readonly AppliedFault[]) {}

  /** The faults of any of these parts that were in force at any moment from `fromMs` to `toMs`. */
  of(parts: readonly string[], fromMs: number, toMs: number): AppliedFault[] {
    return this.faults.filter((fault) => fault.startMs <= toMs && fault.endMs >= fromMs && faultyParts(fault).some((part) => parts.includes(part)));
  }

  /** How long all of these parts had worked at a moment: 0 in a fault, endless where there was none before. */
  quietMs(parts: readonly string[], atMs: number): number {
    const before = this.faults.filter((fault) => fault.startMs <= atMs && faultyParts(fault).some((part) => parts.includes(part)));
    return before.reduce((quiet, { endMs }) => Math.min(quiet, Math.max(0, atMs - endMs)), Number.POSITIVE_INFINITY);
  }
}
