import { Agent } from 'node:https';
import { bulkhead, type BulkheadPolicy, BulkheadRejectedError } from 'cockatiel';
import type { AxiosInstance } from 'axios';
import type { Logger } from 'pino';
import { ClockMap, type Clock } from '#kernel/clock';
import { limits } from '#kernel/config';
import { currentRequestId } from '#kernel/telemetry';
import { type HeartbeatAnswer, readHeartbeatAnswer } from '#kernel/wire';
import { Breaker } from './breaker.js';
import { peerInstance, send } from './call.js';
import type { CallKind, PeerOutcome } from './outcome.js';

/** A heartbeat's own time: longer than any latency that a region can be run at, its connection's handshake included. */
const HEARTBEAT_TIMEOUT_MS = 3_000;
/** Heartbeats under way at once: one each interval for as long as one may take. */
const HEARTBEATS_AT_ONCE = HEARTBEAT_TIMEOUT_MS / limits.heartbeatIntervalMs;

export interface PeerOptions {
  readonly name: string;
  readonly url: string;
  readonly own: string;
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
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
  private readonly calls: AxiosInstance;
  private readonly beats: AxiosInstance;
  private readonly agents: Agent[];
  private readonly breakers: Record<CallKind, Breaker> = { read: new Breaker(limits.breakerFailures), write: new Breaker(limits.breakerFailures) };
  private readonly places: BulkheadPolicy = bulkhead(limits.peerCallsAtOnce, limits.peerCallsWaiting);
  private beatsUnderWay = 0;
  private timer: NodeJS.Timeout | undefined;
  private reachableBefore: boolean | undefined;

  constructor(
    private readonly options: PeerOptions,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly onAnswer: (peer: Peer, answer: HeartbeatAnswer) => void,
  ) {
    this.id = `peer-${options.name}`;
    this.name = options.name;
    const agent = (maxSockets: number): Agent =>
      new Agent({ keepAlive: true, timeout: limits.peerIdleSocketMs, maxSockets, servername: options.name, minVersion: 'TLSv1.3', ...options.tls });
    this.agents = [agent(limits.peerCallsAtOnce), agent(HEARTBEATS_AT_ONCE)];
    this.calls = peerInstance(options.url, this.agents[0]!);
    this.beats = peerInstance(options.url, this.agents[1]!);
  }

  run(): void {
    this.timer = setInterval(() => void this.beat(), limits.heartbeatIntervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    for (const agent of this.agents) agent.destroy();
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

  private async guarded<T>(kind: CallKind, path: string, body: unknown, budgetMs: number): Promise<PeerOutcome<T>> {
    try {
      const headers = { 'homeward-to': this.name, 'homeward-from': this.options.own, 'x-request-id': currentRequestId() ?? '' };
      const askedMs = performance.now();
      const outcome = await this.places.execute(async (): Promise<PeerOutcome<T> | undefined> => {
        const leftMs = budgetMs - (performance.now() - askedMs);
        // Who waited for a place may find its time over, or the breaker opened by those before it (test/regions/link.spec.ts, "faults 6").
        return leftMs > 0 && this.reachable(kind) ? send<T>(this.calls, { method: 'POST', path, body, headers }, leftMs) : undefined;
      });
      if (outcome === undefined) return { kind: 'not-sent', why: 'no place in time' };
      if (outcome.kind === 'answered') this.breakers[kind].succeeded();
      else this.breakers[kind].failed(this.clock.monoMs());
      return outcome;
    } catch (error) {
      if (error instanceof BulkheadRejectedError) return { kind: 'not-sent', why: 'bulkhead full' };
      throw error;
    }
  }

  private async beat(): Promise<void> {
    this.noteReachability();
    if (this.beatsUnderWay >= HEARTBEATS_AT_ONCE) return;
    this.beatsUnderWay += 1;
    const sentAtMonoMs = this.clock.monoMs();
    const headers = { 'homeward-to': this.name, 'homeward-from': this.options.own };
    const outcome = await send<unknown>(this.beats, { method: 'GET', path: '/peer/v1/heartbeat', headers }, HEARTBEAT_TIMEOUT_MS);
    this.beatsUnderWay -= 1;
    if (outcome.kind !== 'answered' || outcome.status !== 200) return;
    const answer = readHeartbeatAnswer(outcome.body);
    if (answer?.region === this.name) this.arrived(answer, sentAtMonoMs);
  }

  private arrived(answer: HeartbeatAnswer, sentAtMonoMs: number): void {
    const { boot, monoMs, wallMs } = answer;
    const before = this.lastAnswer;
    const overtaken = before !== undefined && before.boot === boot && before.monoMs > monoMs;
    this.clockMap.record({ peerBoot: boot, peerMonoMs: monoMs, peerWallMs: wallMs, sentAtMonoMs, receivedAtMonoMs: this.clock.monoMs(), receivedAtWallMs: this.clock.wallMs() });
    if (overtaken) return;
    this.lastAnswer = answer;
    if (answer.serving) for (const breaker of Object.values(this.breakers)) breaker.probed(sentAtMonoMs);
    this.onAnswer(this, answer);
  }

  private noteReachability(): void {
    const reachable = this.linkUp;
    if (reachable === this.reachableBefore) return;
    this.reachableBefore = reachable;
    this.logger[reachable ? 'info' : 'warn']({ peer: this.name }, reachable ? 'peer reachable' : 'peer unreachable');
  }
}
