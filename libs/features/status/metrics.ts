import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from '@prometheus-io/client';
import type { Status } from './status.js';

/** Why a call on the peer listener is refused. */
const PEER_REFUSALS = ['certificate', 'expired', 'stranger', 'other-name', 'other-region', 'superseded', 'late'] as const;
export type PeerRefusal = (typeof PEER_REFUSALS)[number];

/** Prometheus metrics of one region; low-cardinality labels only. Gauges are read from the status at each scrape. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly requests: Histogram<'listener' | 'route' | 'status'>;
  private readonly refusals: Counter<'reason'>;
  private readonly cuts: Counter<'listener' | 'reason'>;
  private refused = 0;
  private readonly gauges = new Map<string, Gauge<string>>();

  constructor(region: string) {
    this.registry.setDefaultLabels({ region });
    collectDefaultMetrics({ register: this.registry, prefix: 'homeward_' });
    this.requests = new Histogram({
      name: 'homeward_request_seconds', help: 'Time to answer, by listener, route and status', labelNames: ['listener', 'route', 'status'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3], registers: [this.registry],
    });
    this.refusals = new Counter({
      name: 'homeward_peer_calls_refused_total', help: 'Calls on the peer listener refused for who made them, whom they were meant for, or their lateness', labelNames: ['reason'], registers: [this.registry],
    });
    // A rate needs a series from the start on.
    for (const reason of PEER_REFUSALS) this.refusals.inc({ reason }, 0);
    this.cuts = new Counter({
      name: 'homeward_connections_cut_off_total', help: 'Connections closed since they were too many, or brought no whole request in time', labelNames: ['listener', 'reason'], registers: [this.registry],
    });
  }

  answered(listener: string, route: string, status: number, seconds: number): void {
    this.requests.observe({ listener, route, status: String(status) }, seconds);
  }

  /** Calls on the peer listener refused since the start. */
  get peersRefused(): number {
    return this.refused;
  }

  peerRefused(reason: PeerRefusal): void {
    this.refused += 1;
    this.refusals.inc({ reason });
  }

  cutOff(listener: string, reason: string): void {
    this.cuts.inc({ listener, reason });
  }

  async text(status: Status): Promise<string> {
    const now = await status.read();
    this.set('homeward_outbox_depth', 'Events that not every peer has confirmed', {}, now.outbox.depth);
    this.set('homeward_outbox_oldest_seconds', 'Age of the oldest of them', {}, seconds(now.outbox.oldestUnconfirmedMs));
    this.set('homeward_redis_pending', 'Endings of sessions that Redis lacks', {}, now.redis_pending.rows);
    this.set('homeward_redis_pending_oldest_seconds', 'Age of the oldest of them', {}, seconds(now.redis_pending.oldestMs));
    this.set('homeward_sessions_compared', '1 while checks compare sessions with PostgreSQL', {}, now.redis_pending.comparing ? 1 : 0);
    this.set('homeward_dead_letters', 'Messages kept aside', {}, now.deadLetters);
    this.set('homeward_conflicts', 'Rows in quarantine', {}, now.conflicts);
    this.audit(now.audit);
    this.set('homeward_transfers_queued', 'Transfer requests taken here that their home has not decided', {}, now.queuedTransfers);
    this.set('homeward_transfers_queued_oldest_seconds', 'Age of the oldest of them', {}, seconds(now.oldestQueuedTransferMs));
    this.set('homeward_credits_suspended', 'Credits that could not be booked to their payee', {}, now.suspendedCredits);
    this.set('homeward_open_incidents', 'Peers with which not everything has settled', {}, now.openIncidents);
    for (const [channel, { waiting, oldestMs, dead }] of Object.entries(now.deliveries ?? {})) {
      this.set('homeward_deliveries_waiting', 'Notifications to be delivered outside', { channel }, waiting);
      this.set('homeward_deliveries_oldest_seconds', 'Age of the oldest of them', { channel }, seconds(oldestMs));
      this.set('homeward_deliveries_dead', 'Notifications whose delivery was given up', { channel }, dead);
    }
    this.set('homeward_hashing_waiting', 'Passwords that wait to be hashed', {}, now.hashing.waiting);
    const { disk } = now.parts.postgres;
    this.set('homeward_database_free_bytes', "Room on the database's disk", {}, disk.freeBytes);
    this.set('homeward_database_reserve_bytes', "Below so much room clients' writes are refused", {}, disk.reserveBytes);
    this.set('homeward_database_writes_refused', '1 while the reserve is touched', {}, disk.refusing ? 1 : 0);
    for (const [certificate, { expiresInMs }] of Object.entries(now.certificates)) {
      this.set('homeward_certificate_expiry_seconds', 'Until a certificate expires: own, and each peer as it presented it last', { certificate }, seconds(expiresInMs));
    }
    for (const [peer, seen] of Object.entries(now.peers)) this.peer(peer, seen);
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  private audit(audit: Awaited<ReturnType<Status['read']>>['audit']): void {
    for (const kind of ['missing', 'different', 'surplus'] as const) this.set('homeward_audit_findings', 'Rows that are not as their owners have them, by the last audit and less what was repaired', { kind }, audit?.findings[kind] ?? null);
    this.set('homeward_audit_broken_invariants', 'Invariants that the last audit found broken', {}, audit?.broken.length ?? null);
    this.set('homeward_audit_alarm', '1 where the last audit found what should not be', {}, audit === null ? null : audit.alarm ? 1 : 0);
    this.set('homeward_audit_age_seconds', 'Since the last audit ended', {}, seconds(audit?.ageMs ?? null));
  }

  private peer(peer: string, seen: Awaited<ReturnType<Status['read']>>['peers'][string]): void {
    this.set('homeward_link_up', '1 while the peer answers heartbeats', { peer }, seen.link === 'up' ? 1 : 0);
    for (const channel of ['accounts', 'database'] as const) {
      this.set('homeward_replication_lag_seconds', 'How far a channel is behind', { peer, channel }, seconds(seen.lagMs[channel]));
    }
    this.set('homeward_clock_skew_seconds', "The peer's clock less ours", { peer }, seconds(seen.clockSkewMs));
    this.set('homeward_events_pulled', 'Events that Kafka did not bring', { peer }, seen.events.pulled);
    this.set('homeward_subscription_streaming', '1 while rows of the peer arrive', { peer }, seen.replication?.state === 'streaming' ? 1 : 0);
    this.set('homeward_subscription_alarm', '1 where a person should look; the cause is in /ops/status', { peer }, seen.replication?.alarm ? 1 : 0);
    const mended = Object.values(seen.replication?.mended ?? {}).reduce((sum, count) => sum + count, 0);
    this.set('homeward_subscription_mended', 'Wrong settings of the subscription that were put right; /ops/status tells which', { peer }, mended);
    this.set('homeward_subscription_rebuilds', 'Copies after the first', { peer }, seen.replication?.rebuilds ?? 0);
  }

  /** What is unknown now is NaN, which Prometheus shows as a gap. */
  private set(name: string, help: string, labels: Record<string, string>, value: number | null): void {
    const gauge = this.gauges.get(name) ?? new Gauge<string>({ name, help, labelNames: Object.keys(labels), registers: [this.registry] });
    this.gauges.set(name, gauge);
    gauge.set(labels, value ?? Number.NaN);
  }
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1_000;
}
