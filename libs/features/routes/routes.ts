import { type Database } from '#adapters/postgres';
import type { Peers } from '#adapters/peer-client';
import { UnavailableError } from '#kernel/problems';
import { type RouteTable, differingSlots, digestOf, evenTable, homeOf, parseTable, slotOf } from '#kernel/routing';
import type { Logger } from '#kernel/telemetry';

/**
 * The route table of this deployment (design, rule 7): made once, at the first start, and then read from the database.
 * Where a peer's table differs, the slots that differ take no registration here until they agree.
 */
export class Routes {
  private current: { table: RouteTable; digest: string } | undefined;
  private readonly differing = new Map<string, { digest: string; slots: ReadonlySet<number> }>();
  private readonly asking = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly founders: readonly string[],
    private readonly logger: Logger,
  ) {}

  /** Reads the stored table, or stores the even one at the first start of all. */
  async load(): Promise<void> {
    const first = evenTable([...this.founders]);
    await this.database.write('INSERT INTO route_table (version, body, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [first.version, JSON.stringify(first), digestOf(first)]);
    const [row] = await this.database.query<{ body: unknown }>('SELECT body FROM route_table ORDER BY version DESC LIMIT 1');
    const table = parseTable(row!.body);
    this.current = { table, digest: digestOf(table) };
  }

  /** @throws UnavailableError until the table has been read */
  get table(): RouteTable {
    return this.loaded.table;
  }

  get digest(): string {
    return this.loaded.digest;
  }

  /** Version and digest for heartbeats; undefined until the table has been read. */
  get summary(): { version: number; digest: string } | undefined {
    return this.current === undefined ? undefined : { version: this.current.table.version, digest: this.current.digest };
  }

  /** Where a normalised identifier belongs, whether an account exists or not. */
  route(identifier: string): { slot: number; home: string; version: number } {
    const slot = slotOf(identifier);
    return { slot, home: homeOf(this.table, slot), version: this.table.version };
  }

  /** True where this region and a peer disagree about a slot's home: nobody registers there until that is mended. */
  disputed(slot: number): boolean {
    for (const { slots } of this.differing.values()) if (slots.has(slot)) return true;
    return false;
  }

  /** Peers whose table differs from this region's, with the number of slots in dispute. */
  disputes(): Record<string, number> {
    return Object.fromEntries([...this.differing].map(([peer, { slots }]) => [peer, slots.size]));
  }

  /** Compares a peer's digest, as its heartbeat tells it; a difference is looked into by asking for its table. */
  async compare(peers: Peers, peer: string, digest: string | undefined): Promise<void> {
    if (this.current === undefined || digest === undefined) return;
    if (digest === this.current.digest) {
      if (this.differing.delete(peer)) this.logger.info({ peer }, 'route tables agree again');
      return;
    }
    if (this.differing.get(peer)?.digest === digest || this.asking.has(peer)) return;
    this.asking.add(peer);
    try {
      const answer = await peers.find(peer)?.call<unknown>('read', '/peer/v1/route-table', {}, 1_000);
      if (answer?.kind !== 'answered' || answer.status !== 200) return;
      const slots = differingSlots(this.current.table, parseTable(answer.body));
      this.differing.set(peer, { digest, slots });
      this.logger.error({ peer, slots: slots.size }, 'route tables differ: registration is refused in the slots that differ');
    } finally {
      this.asking.delete(peer);
    }
  }

  private get loaded(): { table: RouteTable; digest: string } {
    if (this.current === undefined) throw new UnavailableError('postgres');
    return this.current;
  }
}
