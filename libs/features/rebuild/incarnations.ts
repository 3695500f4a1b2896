import type { PeerReader, StreamApplier } from '#adapters/kafka';
import type { Peer, Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import type { Replication } from '#adapters/replication';
import { FIRST_INCARNATION, numbersBelow, serverNameOf } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';
import { type HeartbeatAnswer, PARTITIONS, STREAMS } from '#kernel/wire';

/** What this region knows of a peer's databases. */
interface Known {
  readonly incarnation: number;
  /** Of the one database that is the peer's in this incarnation; null before its first heartbeat. */
  readonly identity: string | null;
}

export interface IncarnationParts {
  readonly region: string;
  readonly database: Database;
  readonly peers: Peers;
  readonly replication: Replication;
  readonly applier: StreamApplier;
  readonly readers: ReadonlyMap<string, PeerReader>;
  readonly logger: Logger;
}

const NONE: Known = { incarnation: FIRST_INCARNATION, identity: null };

const READ = { name: 'peer-incarnations', text: 'SELECT peer, incarnation, identity FROM peer_incarnation' };
const MEET = {
  name: 'meet-peer',
  text: `INSERT INTO peer_incarnation AS known (peer, incarnation, identity) VALUES ($1, $2, $3)
         ON CONFLICT (peer) DO UPDATE SET identity = excluded.identity, known_at = clock_timestamp() WHERE known.incarnation = excluded.incarnation AND known.identity IS NULL`,
};
const ADOPT = `INSERT INTO peer_incarnation AS known (peer, incarnation) VALUES ($1, $2)
  ON CONFLICT (peer) DO UPDATE SET incarnation = excluded.incarnation, identity = NULL, known_at = clock_timestamp() WHERE known.incarnation < excluded.incarnation RETURNING peer`;
/** One below the new incarnation's head: what is still on its way from the one before is behind the position, and the gap of one makes the state be copied. */
const FENCE = `INSERT INTO stream_applied AS known (region, writer, stream, partition, applied) SELECT $1, $2, stream, partition, $3 FROM unnest($4::text[]) AS stream, generate_series(0, $5::int) AS partition
  ON CONFLICT (region, writer, stream, partition) DO UPDATE SET applied = excluded.applied, kafka_offset = -1 WHERE known.applied < excluded.applied`;

/**
 * Which incarnation of each peer is the one to speak with, on every channel, and which database it has. A region that lost
 * its disks comes back as the next incarnation; from then on what the one before says, or still had on its way, has no
 * effect here. Kept in the database, for all processes of the region.
 */
export class Incarnations {
  /** Whether what is kept of peers could be read. */
  loaded = false;
  private known = new Map<string, Known>();
  private readonly adopting = new Set<string>();
  private readonly strangers = new Set<string>();

  constructor(private readonly parts: IncarnationParts) {}

  /** The incarnation of a peer that is known here. */
  of(peer: string): number {
    return this.knownOf(peer).incarnation;
  }

  /** The identity of a peer's database in this incarnation, as it is known here; nothing is said of another incarnation. */
  identityOf(peer: string, incarnation: number): string | undefined {
    const known = this.knownOf(peer);
    return known.incarnation === incarnation ? (known.identity ?? undefined) : undefined;
  }

  /** Peers that answer with another database than theirs: they count as unreachable. */
  get unknownDatabases(): string[] {
    return [...this.strangers];
  }

  /** Reads what is known, and has every channel go by it. @throws where the database can't be asked */
  async load(): Promise<void> {
    const { database } = this.parts;
    const rows = await database.query<Known & { peer: string }>(READ);
    this.known = new Map(rows.map(({ peer, ...known }) => [peer, known]));
    this.loaded = true;
    for (const { peer, incarnation } of rows) this.expect(peer, incarnation);
  }

  /**
   * From now on `incarnation` of a peer is the one to speak with, and nothing of an earlier one has an effect here any more.
   * @throws where the database can't do it: nothing is changed then
   */
  async adopt(peer: string, incarnation: number): Promise<void> {
    if (this.of(peer) >= incarnation) return;
    const { region, database, applier, logger } = this.parts;
    const adopted = await database.transact(async (tx) => {
      const rows = await tx.query(ADOPT, [peer, incarnation]);
      if (rows.length > 0) await tx.query(FENCE, [region, peer, numbersBelow(incarnation) - 1, [...STREAMS], PARTITIONS - 1]);
      return rows.length > 0;
    });
    if (adopted) logger.warn({ peer, incarnation }, 'the peer has lost its disks and comes back as another incarnation: the one before is refused');
    await this.load();
    await applier.reload(peer);
  }

  /** A peer called as a later incarnation than is known: it is taken for the one, as soon as that can be written down. */
  noticed(peer: string, incarnation: number): void {
    if (this.adopting.has(peer) || !this.loaded) return;
    this.adopting.add(peer);
    this.adopt(peer, incarnation)
      .catch((error: unknown) => this.parts.logger.warn({ err: error, peer, incarnation }, 'another incarnation of a peer could not be adopted yet'))
      .finally(() => this.adopting.delete(peer));
  }

  /** Whether an answer is of the peer's own database; the first one heard of an incarnation is. */
  accepts({ name }: Peer, { identity, known }: HeartbeatAnswer): boolean {
    const own = this.parts.database.identity;
    if (known !== undefined && own !== undefined && known !== own) this.superseded(name);
    if (identity === undefined || !this.loaded) return true;
    const expected = this.knownOf(name);
    if (expected.identity === identity) {
      this.strangers.delete(name);
      return true;
    }
    if (expected.identity !== null) return this.refuse(name);
    this.meet(name, { ...expected, identity });
    return true;
  }

  /** A peer knows another database, or a later incarnation, as this region: nothing is done here any more. */
  superseded(peer: string): void {
    const { database, replication, logger } = this.parts;
    if (database.problem !== undefined) return;
    const why = `${peer} knows another database as this region's: this one is refused, and serves nobody`;
    logger.error(why);
    database.retire(why);
    void replication.stop();
  }

  private knownOf(peer: string): Known {
    return this.known.get(peer) ?? NONE;
  }

  private expect(peer: string, incarnation: number): void {
    const { peers, replication, readers } = this.parts;
    peers.find(peer)?.expect(incarnation);
    readers.get(peer)?.expect(serverNameOf(peer, incarnation));
    replication.expect(peer, incarnation);
  }

  private meet(peer: string, met: Known): void {
    this.known.set(peer, met);
    // Where it is not written, the next start, or the next load, meets it again.
    void this.parts.database.write(MEET, [peer, met.incarnation, met.identity]).catch((error: unknown) => this.parts.logger.debug({ err: error, peer }, "the identity of a peer's database could not be kept"));
  }

  private refuse(peer: string): false {
    if (!this.strangers.has(peer)) this.parts.logger.error({ peer }, 'the peer answers with another database than the one that is known: it has lost its disks, and must be rebuilt');
    this.strangers.add(peer);
    return false;
  }
}
