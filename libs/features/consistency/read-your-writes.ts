import type { Peers } from '#adapters/peer-client';
import { limits } from '#kernel/config';
import type { ConsistencyKind, ConsistencyVersions } from '#kernel/ids';
import type { Arrivals } from './arrivals.js';

/** One writer's row of one kind, as known here or as its writer just told. */
export interface VersionedRow {
  readonly region: string;
  readonly version: number;
}

/** How the rows of a read came about; `stale` where the writer could not be asked for what the token promises. */
export type RowsRead = 'local' | 'second' | 'stale';

/** How an answer that is made of several reads came about: as its worst one. */
export function worstOf(reads: readonly RowsRead[]): RowsRead {
  return (['stale', 'second'] as const).find((worse) => reads.includes(worse)) ?? 'local';
}

/**
 * Read-your-writes by consistency token (contract, "Headers of every answer"): waits for replication a little, then
 * asks each writer whose row here is older than the token says.
 */
export class ReadYourWrites {
  constructor(
    private readonly own: string,
    private readonly peers: Peers,
    private readonly arrivals: Arrivals,
  ) {}

  /**
   * @param read reads the local rows of the kind
   * @param path the peer call that answers a writer's own row
   * @returns the rows to be used for this answer; what was fetched is used once and not kept
   */
  async rows<R extends VersionedRow>(
    kind: ConsistencyKind, token: ConsistencyVersions | undefined, account: string,
    read: () => Promise<R[]>, path: string, body: object,
  ): Promise<{ rows: R[]; read: RowsRead }> {
    const wanted = token?.account === account ? (token.versions[kind] ?? {}) : {};
    const untilMs = performance.now() + limits.replicationWaitMs;
    let rows = await read();
    while (lagging(wanted, rows).some((region) => this.mayArrive(region)) && performance.now() < untilMs) {
      await this.arrivals.next(`${kind}:${account}`, untilMs - performance.now());
      rows = await read();
    }
    if (lagging(wanted, rows).length === 0) return { rows, read: 'local' };
    const fetched = await Promise.all(lagging(wanted, rows).map((region) => this.fetch<R>(region, path, body)));
    const merged = replace(rows, fetched.filter((row) => row !== undefined));
    return { rows: merged, read: lagging(wanted, merged).length === 0 ? 'second' : 'stale' };
  }

  /**
   * Whether replication may bring something in a moment: over a link that is down nothing comes, and a region of which only the
   * service is gone has written nothing since (test/unit/consistency/read-your-writes.spec.ts).
   */
  private mayArrive(region: string): boolean {
    return this.peers.find(region)?.linkUp ?? false;
  }

  private async fetch<R extends VersionedRow>(region: string, path: string, body: object): Promise<R | undefined> {
    if (region === this.own) return undefined;
    const outcome = await this.peers.find(region)?.call<Omit<R, 'region'>>('read', path, body, limits.readBudgetMs - limits.replicationWaitMs);
    return outcome?.kind === 'answered' && outcome.status === 200 ? ({ ...outcome.body, region } as R) : undefined;
  }
}

function lagging(wanted: Record<string, number>, rows: readonly VersionedRow[]): string[] {
  const here = new Map(rows.map(({ region, version }) => [region, version]));
  return Object.keys(wanted).filter((region) => (here.get(region) ?? 0) < wanted[region]!);
}

function replace<R extends VersionedRow>(rows: readonly R[], fetched: readonly R[]): R[] {
  const newer = new Map(fetched.map((row) => [row.region, row]));
  return [...rows.filter(({ region }) => !newer.has(region)), ...newer.values()];
}
