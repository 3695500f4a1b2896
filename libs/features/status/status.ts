import type { KafkaPort, OutboxRelay, PeerReader, StreamApplier } from '#adapters/kafka';
import type { Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import type { RedisStore } from '#adapters/redis';
import type { Replication } from '#adapters/replication';
import { limits } from '#kernel/config';
import type { HashQueue } from '#adapters/hashing';
import type { MacKeyring } from '#kernel/ids';
import { summarize } from '../audit/index.js';
import type { Channels } from '../heartbeats/index.js';
import type { DeliveryQueue } from '../notices/index.js';
import type { Incarnations } from '../rebuild/index.js';
import type { Certificates, MacKeyFile } from '../rotation/index.js';
import type { Routes } from '../routes/index.js';
import type { SessionFeeder } from '../sessions/index.js';

/** Everything the status is read from. */
export interface StatusParts {
  readonly region: string;
  readonly peers: Peers;
  readonly channels: Channels;
  readonly routes: Routes;
  readonly relay: OutboxRelay;
  readonly applier: StreamApplier;
  readonly readers: ReadonlyMap<string, PeerReader>;
  readonly kafka: KafkaPort;
  readonly redis: RedisStore;
  readonly replication: Replication;
  readonly feeder: SessionFeeder;
  readonly hashing: HashQueue;
  readonly database: Database;
  readonly keyring: MacKeyring;
  readonly macKeyFile: MacKeyFile;
  readonly certificates: Certificates;
  readonly deliveryQueue: DeliveryQueue;
  readonly incarnations: Pick<Incarnations, 'of' | 'unknownDatabases'>;
  /** Refused peer calls since the start. */
  refusedPeers(): number;
}

const ASIDE = {
  name: 'count-aside',
  text: `SELECT (SELECT count(*)::int FROM dead_letter WHERE replayed_at IS NULL) AS dead, (SELECT count(*)::int FROM conflict) AS conflicts,
           (SELECT count(*)::int FROM transfer_waiting) AS queued,
           (SELECT (extract(epoch FROM clock_timestamp() - min(requested_at)) * 1000)::float8 FROM transfer_waiting) AS "oldestQueuedMs",
           (SELECT count(*)::int FROM transfer_credit c WHERE c.region = $1 AND suspense) AS suspense,
           (SELECT count(*)::int FROM incident WHERE region = $1 AND closed_at IS NULL) AS incidents,
           (SELECT jsonb_build_object('at', rebuilt_at) || rebuilt FROM this_region) AS rebuilt`,
};

/** This region's own view of itself and its peers (contract, "Ops API"). */
export class Status {
  constructor(private readonly parts: StatusParts) {}

  async read() {
    const { region, routes, relay, feeder, database, kafka, redis, replication, hashing, keyring, macKeyFile, certificates, peers, deliveryQueue } = this.parts;
    const [backlog, pending, deliveries, aside, audit] = await Promise.all([
      orUnknown(relay.backlog()),
      orUnknown(feeder.pending()),
      orUnknown(deliveryQueue.counts()),
      orUnknown(database.query<{ dead: number; conflicts: number; queued: number; oldestQueuedMs: number | null; suspense: number; incidents: number; rebuilt: object | null }>(ASIDE, [region]).then(([row]) => row!)),
      orUnknown(summarize(database)),
    ]);
    return {
      region,
      incarnation: certificates.incarnation,
      /** What was found at the peers when its disks had been lost, and what is known to be missing; null where they never were. */
      rebuilt: aside?.rebuilt ?? null,
      routes: { version: routes.summary?.version ?? null, digest: routes.summary?.digest ?? null, disputes: routes.disputes() },
      peers: Object.fromEntries(peers.all.map((peer) => [peer.name, this.peer(peer.name)])),
      streams: { heads: relay.heads(), sent: relay.status().sent, confirmed: relay.status().confirmed, owner: relay.status().owner, failing: relay.status().failing },
      outbox: { depth: backlog?.depth ?? null, oldestUnconfirmedMs: backlog === undefined ? null : (backlog.oldestMs ?? 0) },
      // As the contract names it.
      redis_pending: { rows: pending?.rows ?? null, oldestMs: pending?.oldestMs ?? null, comparing: feeder.mustCompare() },
      queuedTransfers: aside?.queued ?? null,
      oldestQueuedTransferMs: aside === undefined ? null : rounded(aside.oldestQueuedMs ?? 0),
      suspendedCredits: aside?.suspense ?? null,
      deliveries: deliveries === undefined ? null : Object.fromEntries(deliveries.map(({ channel, waiting, oldestMs, dead }) => [channel, { waiting, oldestMs: rounded(oldestMs ?? undefined), dead }])),
      openIncidents: aside?.incidents ?? null,
      deadLetters: aside?.dead ?? null,
      conflicts: aside?.conflicts ?? null,
      /** Null before the first audit. */
      audit: audit ?? null,
      refusedPeerCalls: this.parts.refusedPeers(),
      certificates: certificates.status(peers),
      macKeys: { known: keyring.keyIds, signing: keyring.signingKeyId, problem: macKeyFile.problem ?? null },
      hashing: { waiting: hashing.waiting, typicalMs: hashing.typicalMs ?? null },
      parts: { postgres: { disk: database.reserve.status }, kafka: kafka.status(), redis: { connected: redis.connected, trusted: redis.trusted } },
      publication: replication.ownStatus(),
    };
  }

  private peer(name: string) {
    const { peers, channels, applier, readers, replication, incarnations } = this.parts;
    const peer = peers.find(name)!;
    const age = (channel: 'accounts' | 'database'): number | null => rounded(channels.newest(name, channel)?.ageMs);
    const skewMs = rounded(peer.clockMap.skewMs());
    return {
      link: peer.linkUp ? 'up' : 'down',
      calls: { reads: peer.reachable('read') ? 'open' : 'refused', writes: peer.reachable('write') ? 'open' : 'refused' },
      heartbeatAgeMs: { http: rounded(peer.heartbeatAgeMs()), accounts: age('accounts'), database: age('database') },
      // What was said a moment ago and is here counts as no lag; beyond one interval the channel is behind.
      lagMs: { accounts: lag(age('accounts')), database: lag(age('database')) },
      incarnation: incarnations.of(name),
      /** It answers with another database than the one that is known: its disks were lost, and it must be rebuilt. */
      unknownDatabase: incarnations.unknownDatabases.includes(name),
      heads: peer.lastAnswer?.heads ?? null,
      macKeys: peer.lastAnswer?.macKeys ?? null,
      applied: applier.applied(name),
      events: applier.status(name),
      kafka: readers.get(name)?.status() ?? null,
      replication: replication.status().find((status) => status.peer === name) ?? null,
      clockSkewMs: skewMs,
      clockSkewed: skewMs !== null && Math.abs(skewMs) > limits.skewReportedMs,
    };
  }
}

function lag(ageMs: number | null): number | null {
  return ageMs === null ? null : Math.max(0, ageMs - limits.heartbeatIntervalMs);
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined || !Number.isFinite(ms) ? null : Math.round(ms);
}

/** A status page tells what it can: a question that the database did not answer is unknown, not an error. */
function orUnknown<T>(question: Promise<T>): Promise<T | undefined> {
  return question.catch(() => undefined);
}
