import { bulkhead, type BulkheadPolicy, BulkheadRejectedError } from 'cockatiel';
import type { AxiosInstance } from 'axios';
import type { Logger } from 'pino';
import { ClockMap, type Clock } from '#kernel/clock';
import { limits } from '#kernel/config';
import { FIRST_INCARNATION, serverNameOf } from '#kernel/ids';
import { currentRequestId } from '#kernel/telemetry';
import { type HeartbeatAnswer, readHeartbeatAnswer } from '#kernel/wire';
import { Breaker } from './breaker.js';
import { peerInstance, send } from './call.js';
import { PeerAgent, type PeerTls } from './peer-agent.js';
import type { CallKind, PeerOutcome } from './outcome.js';

/** A heartbeat's own time: longer than any latency that a region can be run at, its connection's handshake included. */
const HEARTBEAT_TIMEOUT_MS = 3_000;
/** Heartbeats under way at once: one each interval for as long as one may take. */
const HEARTBEATS_AT_ONCE = HEARTBEAT_TIMEOUT_MS / limits.heartbeatIntervalMs;

/** A connection for each call that has a place. */
const CALL_SOCKETS = 2 * limits.peerCallsAtOnce;

function placesForCalls(): BulkheadPolicy {
  return bulkhead(limits.peerCallsAtOnce, limits.peerCallsWaiting);
}

export interface PeerOptions {
  readonly name: string;
  readonly url: string;
  readonly own: string;
  readonly tls: PeerTls;
}

/** What a peer's heartbeats lead to. */
export interface PeerEvents {
  /** False where it is not the peer that is known here: it then counts as unreachable. */
  accepts(peer: Peer, answer: HeartbeatAnswer): boolean;
  answered(peer: Peer, answer: HeartbeatAnswer): void;
  /** The peer refuses this region, since it knows a later incarnation of it. */
  superseded(peer: Peer): void;
}

/** Connections to the peer, and the calls that use them. */
interface Pool {
  readonly agent: PeerAgent;
  readonly axios: AxiosInstance;
}

/** A deadline on the receiver's clock: its monotonic clock, of that very process. */
export interface Deadline {
  readonly boot: string;
  readonly monoMs: number;
}

/**
 * One peer as seen from here: its heartbeats over HTTP, breakers, bulkhead and calls (design, rule 5).
 */
export class Peer {
  readonly id: string;
  readonly name: string;
  readonly clockMap = new ClockMap();
  lastAnswer: HeartbeatAnswer | undefined;
  /** When the certificate expires that the peer presented last; undefined before the first handshake. */
  certificateExpiresMs: number | undefined;
  private incarnation = FIRST_INCARNATION;
  private tls: PeerTls;
  private calls: Pool;
  private beats: Pool;
  private readonly breakers: Record<CallKind, Breaker> = { read: new Breaker(limits.breakerFailures), write: new Breaker(limits.breakerFailures) };
  /** Apart for each kind: what hangs in one must not hold up the other for longer than its own budget. */
  private readonly places: Record<CallKind, BulkheadPolicy> = { read: placesForCalls(), write: placesForCalls() };
  private beatsUnderWay = 0;
  private timer: NodeJS.Timeout | undefined;
  private reachableBefore: boolean | undefined;

  constructor(
    private readonly options: PeerOptions,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly events: PeerEvents,
  ) {
    this.id = `peer-${options.name}`;
    this.name = options.name;
    this.tls = options.tls;
    this.calls = this.pool(CALL_SOCKETS);
    this.beats = this.pool(HEARTBEATS_AT_ONCE);
  }

  /** Presents this certificate from now on; calls under way end on the connections that they have. */
  renew(tls: PeerTls): void {
    this.tls = tls;
    this.connectAnew();
  }

  /** Speaks with this incarnation of the peer only; what another one said counts no longer. */
  expect(incarnation: number): void {
    if (incarnation === this.incarnation) return;
    this.incarnation = incarnation;
    this.lastAnswer = undefined;
    this.connectAnew();
  }

  private connectAnew(): void {
    const old = [this.calls, this.beats];
    this.calls = this.pool(CALL_SOCKETS);
    this.beats = this.pool(HEARTBEATS_AT_ONCE);
    for (const { agent } of old) agent.retire();
  }

  run(): void {
    this.timer = setInterval(() => void this.beat(), limits.heartbeatIntervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    for (const { agent } of [this.calls, this.beats]) agent.destroy();
  }

  private pool(maxSockets: number): Pool {
    const agent = new PeerAgent(maxSockets, serverNameOf(this.name, this.incarnation), this.tls, (expiresMs) => (this.certificateExpiresMs = expiresMs));
    return { agent, axios: peerInstance(this.options.url, agent) };
  }

  /** Age in ms of what the peer last said over HTTP, by the monotonic clocks; Infinity when it never did. */
  heartbeatAgeMs(): number {
    const last = this.lastAnswer;
    return last === undefined ? Infinity : this.ageMs(last);
  }

  /** Age in ms of something that the peer stamped, whichever way it came; Infinity where that can not be told. */
  ageMs(stamped: { boot: string; monoMs: number }): number {
    return this.clockMap.ageOf(stamped.boot, stamped.monoMs, this.clock.monoMs()) ?? Infinity;
  }

  /** Whether a call of this kind would be sent at all. */
  reachable(kind: CallKind): boolean {
    return this.heartbeatAgeMs() < limits.heartbeatFreshMs && !this.breakers[kind].open && (this.lastAnswer?.serving ?? false);
  }

  /** True while the link itself works, whatever state the peer's own parts are in. */
  get linkUp(): boolean {
    return this.heartbeatAgeMs() < limits.heartbeatFreshMs;
  }

  /**
   * The deadline for a write that may take `budgetMs` from now, on the peer's own clock: its last heartbeat plus the
   * time since plus the budget. Never later than the true one, since the heartbeat was older than its arrival.
   */
  deadlineIn(budgetMs: number): Deadline | undefined {
    const monoMs = this.clockMap.peerMonoAt(this.clock.monoMs());
    const boot = this.lastAnswer?.boot;
    return monoMs === undefined || boot === undefined ? undefined : { boot, monoMs: Math.floor(monoMs + budgetMs) };
  }

  /** One call with its budget; refused at once, as `not-sent`, where the breaker is open or the bulkhead full. */
  async call<T>(kind: CallKind, path: string, body: unknown, budgetMs: number): Promise<PeerOutcome<T>> {
    if (!this.reachable(kind)) return { kind: 'not-sent', why: 'peer unreachable' };
    return this.guarded<T>(kind, path, body, budgetMs);
  }

  /**
   * A question of a region that serves nobody yet, and so has no heartbeats to go by: sent whatever was heard, beside the breakers.
   */
  ask<T>(path: string, body: unknown, budgetMs: number): Promise<PeerOutcome<T>> {
    return send<T>(this.calls.axios, { method: 'POST', path, body, headers: { 'homeward-to': this.name, 'homeward-from': this.options.own } }, budgetMs);
  }

  private async guarded<T>(kind: CallKind, path: string, body: unknown, budgetMs: number): Promise<PeerOutcome<T>> {
    const untilMs = performance.now() + budgetMs;
    try {
      return await this.places[kind].execute(async () => {
        const leftMs = untilMs - performance.now();
        // It may have waited for its place: that time is its budget's, and what it waited for may have shown that nobody answers
        // (test/regions/link.spec.ts, "faults 6").
        if (leftMs <= 0 || !this.reachable(kind)) return { kind: 'not-sent', why: 'no place in time' };
        return await this.sent<T>(kind, path, body, leftMs);
      });
    } catch (error) {
      if (error instanceof BulkheadRejectedError) return { kind: 'not-sent', why: 'bulkhead full' };
      throw error;
    }
  }

  private async sent<T>(kind: CallKind, path: string, body: unknown, budgetMs: number): Promise<PeerOutcome<T>> {
    const headers = { 'homeward-to': this.name, 'homeward-from': this.options.own, 'x-request-id': currentRequestId() ?? '' };
    const outcome = await send<T>(this.calls.axios, { method: 'POST', path, body, headers }, budgetMs);
    if (outcome.kind === 'answered') this.breakers[kind].succeeded();
    else this.breakers[kind].failed(this.clock.monoMs());
    return outcome;
  }

  private async beat(): Promise<void> {
    this.noteReachability();
    if (this.beatsUnderWay >= HEARTBEATS_AT_ONCE) return;
    this.beatsUnderWay += 1;
    const { incarnation } = this;
    const sentAtMonoMs = this.clock.monoMs();
    const headers = { 'homeward-to': this.name, 'homeward-from': this.options.own };
    const outcome = await send<unknown>(this.beats.axios, { method: 'GET', path: '/peer/v1/heartbeat', headers }, HEARTBEAT_TIMEOUT_MS);
    this.beatsUnderWay -= 1;
    // One that was asked before another incarnation was expected answers late.
    if (incarnation !== this.incarnation) return;
    if (outcome.kind === 'answered' && outcome.status === 403 && isSuperseded(outcome.body)) this.events.superseded(this);
    if (outcome.kind !== 'answered' || outcome.status !== 200) return;
    const answer = readHeartbeatAnswer(outcome.body);
    if (answer?.region === this.name && this.events.accepts(this, answer)) this.arrived(answer, sentAtMonoMs);
  }

  private arrived(answer: HeartbeatAnswer, sentAtMonoMs: number): void {
    const { boot, monoMs, wallMs } = answer;
    const before = this.lastAnswer;
    const overtaken = before !== undefined && before.boot === boot && before.monoMs > monoMs;
    this.clockMap.record({ peerBoot: boot, peerMonoMs: monoMs, peerWallMs: wallMs, sentAtMonoMs, receivedAtMonoMs: this.clock.monoMs(), receivedAtWallMs: this.clock.wallMs() });
    if (overtaken) return;
    this.lastAnswer = answer;
    if (answer.serving) for (const breaker of Object.values(this.breakers)) breaker.probed(sentAtMonoMs);
    this.events.answered(this, answer);
  }

  private noteReachability(): void {
    const reachable = this.linkUp;
    if (reachable === this.reachableBefore) return;
    this.reachableBefore = reachable;
    this.logger[reachable ? 'info' : 'warn']({ peer: this.name }, reachable ? 'peer reachable' : 'peer unreachable');
  }
}

function isSuperseded(body: unknown): boolean {
  return (body as { reason?: unknown } | null)?.reason === 'superseded';
}
