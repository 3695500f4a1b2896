import type { Logger } from 'pino';
import type { Clock } from '#kernel/clock';
import { FIRST_INCARNATION, serverNameOf } from '#kernel/ids';
import { parseConninfo } from './conninfo.js';
import { parseNote } from './inspect.js';
import { PUBLISHED_TABLES, identifier, literal, slotOf, subscriptionFrom } from './names.js';
import type { OwnDatabase } from './own-database.js';
import { PeerDatabase, type TlsFiles } from './peer-database.js';
import { OwnPublication, type PublicationState } from './publication.js';
import { ReplicationSetup } from './setup.js';
import { peerStatus, type PeerReplicationStatus } from './status.js';
import { pause, timings } from './timings.js';
import { ReplicationWatch } from './watch.js';

export interface ReplicationOptions {
  readonly region: string;
  readonly incarnation: number;
  /** `conninfo`: how the own server's apply worker, and this process, reach the peer's PostgreSQL. */
  readonly peers: readonly { readonly name: string; readonly conninfo: string }[];
  /** This region's PEM files, for this process's own connections to peers; absent only without TLS. */
  readonly tls?: TlsFiles;
  readonly database: OwnDatabase;
  readonly ownDatabaseUrl: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tables?: readonly string[];
}

/**
 * Logical replication between this region and its peers, set up, watched and mended for as long as it runs. Several
 * processes of a region may run it: one of them mends, all of them tell.
 */
export class Replication {
  readonly id = 'replication';
  private readonly publication: OwnPublication;
  private readonly setups: ReadonlyMap<string, ReplicationSetup>;
  private readonly watch: ReplicationWatch;
  private readonly stopping = new AbortController();
  private readonly incarnations = new Map<string, number>();
  private publicationState: PublicationState = { state: 'unknown' };
  private running: Promise<void> | undefined;

  /** @throws ConninfoError where a peer's connection string can not be used */
  constructor(private readonly options: ReplicationOptions) {
    const { region, incarnation, database, ownDatabaseUrl, clock, logger, tables = PUBLISHED_TABLES } = options;
    const reader = serverNameOf(region, incarnation);
    const peers = options.peers.map(({ name }) => name);
    this.publication = new OwnPublication({ region, peers, tables, database, logger });
    this.setups = new Map(
      options.peers.map(({ name, conninfo }) => [
        name,
        new ReplicationSetup({ reader, peer: name, database: new PeerDatabase(conninfo, options.tls), ownDatabaseUrl, tables, logger, monoMs: () => clock.monoMs() }),
      ]),
    );
    this.watch = new ReplicationWatch({ reader, slots: () => peers.map((peer) => this.slotFor(peer)), peers, database, clock, logger, patience: (peer) => this.setups.get(peer)?.patience });
  }

  /** Starts the loops and does not wait for them; they bear a database that isn't there yet. */
  run(): void {
    this.running ??= this.publish();
    this.watch.run();
    for (const setup of this.setups.values()) setup.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.watch.stop(), this.running, ...[...this.setups.values()].map((setup) => setup.stop())]);
  }

  /** The peer has answered over HTTP: after a silence, replication has it looked at whether its own connection lives. */
  heard(peer: string): void {
    this.watch.heard(peer);
  }

  /**
   * From now on this incarnation of a peer is read, and may read. The slot of the one before is dropped: it would keep WAL for
   * nobody until its limit.
   */
  expect(peer: string, incarnation: number): void {
    if ((this.incarnations.get(peer) ?? FIRST_INCARNATION) === incarnation) return;
    const before = this.slotFor(peer);
    this.incarnations.set(peer, incarnation);
    this.setups.get(peer)?.expect(incarnation);
    this.dropSlot(before).catch((error: unknown) => this.options.logger.warn({ err: error, slot: before }, 'the slot of a lost incarnation could not be dropped; it is told as left over'));
  }

  /** Whether nothing that another incarnation of the peer wrote can be applied here any more. */
  async readsOnly(peer: string, incarnation: number): Promise<boolean> {
    const [seen] = await this.options.database.query<{ conninfo: string }>('SELECT subconninfo AS conninfo FROM pg_subscription WHERE subname = $1', [subscriptionFrom(peer)]);
    return seen === undefined || parseConninfo(seen.conninfo).get('host') === serverNameOf(peer, incarnation);
  }

  /** One entry per configured peer, from what the loops saw last; asks nobody. */
  status(): PeerReplicationStatus[] {
    const now = this.options.clock.monoMs();
    return [...this.setups].map(([peer, setup]) => {
      const slot = this.watch.slots.find(({ name }) => name === this.slotFor(peer));
      const { lookedAtMono, workersEnded } = this.watch;
      return peerStatus(peer, setup.known, { history: this.watch.history(peer), slot, workersEnded: workersEnded.get(peer) ?? 0, lookedAtMono }, now);
    });
  }

  /** The own publication, and what bears our names and belongs to no configured peer: reported, never dropped. */
  ownStatus(): { publication: PublicationState; leftovers: readonly string[]; lookedAgoMs: number } {
    return { publication: this.publicationState, leftovers: this.watch.leftovers(), lookedAgoMs: this.options.clock.monoMs() - this.watch.lookedAtMono };
  }

  /**
   * Copies the peer's rows anew, as an operator or an audit asks: after a difference, or once a peer whose server was
   * replaced has its own rows back. Written down, so that any process of the region may be asked, and none forgets.
   * @returns false where there is no such peer, or its first copy is not made yet
   */
  async askForCopy(peer: string): Promise<boolean> {
    if (!this.setups.has(peer)) return false;
    return this.options.database.transact(async (tx) => {
      const [seen] = await tx.query<{ note: string | null }>("SELECT obj_description(oid, 'pg_subscription') AS note FROM pg_subscription WHERE subname = $1", [subscriptionFrom(peer)]);
      const note = parseNote(seen?.note);
      if (note === undefined) return false;
      await tx.query(`COMMENT ON SUBSCRIPTION ${identifier(subscriptionFrom(peer))} IS ${literal(JSON.stringify({ ...note, asked: true }))}`);
      return true;
    });
  }

  private slotFor(peer: string): string {
    return slotOf(this.options.region, serverNameOf(peer, this.incarnations.get(peer) ?? FIRST_INCARNATION));
  }

  private async dropSlot(slot: string): Promise<void> {
    const { database } = this.options;
    await database.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL', [slot]);
    for (let waitedMs = 0; waitedMs < timings.slotMs; waitedMs += 50) {
      const [seen] = await database.query<{ active: boolean }>('SELECT active FROM pg_replication_slots WHERE slot_name = $1', [slot]);
      if (seen === undefined) return;
      if (!seen.active) return void (await database.query('SELECT pg_drop_replication_slot($1)', [slot]));
      await pause(50, this.stopping.signal);
    }
  }

  private async publish(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        this.publicationState = await this.publication.mend();
      } catch (error) {
        this.options.logger.debug({ err: error }, 'the publication could not be compared');
      }
      await pause(timings.compareEveryMs, this.stopping.signal);
    }
  }
}
