import type { Logger } from 'pino';
import { FIRST_INCARNATION, serverNameOf } from '#kernel/ids';
import { decideHere, decideWithPeer, type Step, type Wanted } from './decide.js';
import { inspectOwn, inspectPeer, type OwnSeen, type PeerSeen } from './inspect.js';
import { MendingLock } from './lock.js';
import { subscriptionFrom } from './names.js';
import type { PeerDatabase } from './peer-database.js';
import { dropReplaced, rebuild } from './rebuild.js';
import { Session } from './session.js';
import type { SetupFacts } from './status.js';
import { pause, timings } from './timings.js';

export interface PeerSetupOptions {
  /** This region with its incarnation, as its slots name it. */
  readonly reader: string;
  readonly peer: string;
  readonly database: PeerDatabase;
  readonly ownDatabaseUrl: string;
  readonly tables: readonly string[];
  readonly logger: Logger;
  /** Monotonic ms. */
  readonly monoMs: () => number;
}

/**
 * Keeps the subscription to one peer as it should be: compares, takes the one step that is due, compares again. One loop per
 * peer, with a session here and one there, so that a peer that is down or silent delays nothing but itself.
 */
export class ReplicationSetup {
  readonly id: string;
  private readonly lock: MendingLock;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private there: Session | undefined;
  private openings = 0;
  private incarnation = FIRST_INCARNATION;
  private roundTripMs = 0;
  private failures = 0;
  private notBeforeMono = 0;
  private facts: SetupFacts = { mending: false, copying: false, step: { kind: 'nothing' }, mended: {} };

  constructor(private readonly options: PeerSetupOptions) {
    this.id = `replication-setup ${options.peer}`;
    this.lock = new MendingLock(options.ownDatabaseUrl, subscriptionFrom(options.peer));
  }

  run(): void {
    this.running ??= this.loop();
  }

  /** Ends at once: whatever is half done is a placeholder, and the next start begins it anew. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.lock.break(new Error('stopping'));
    this.there?.destroy(new Error('stopping'));
    await this.running;
  }

  /** Reads from this incarnation of the peer only: once it is rebuilt its rows are copied anew. */
  expect(incarnation: number): void {
    this.incarnation = incarnation;
    this.options.database.expect(serverNameOf(this.options.peer, incarnation));
    this.there?.destroy(new Error('the peer has another incarnation'));
  }

  get known(): SetupFacts {
    return this.facts;
  }

  /** How many times longer than usual connecting may take, by the last round trip: a slow link isn't a stuck one. Undefined: not ours to judge. */
  get patience(): number | undefined {
    return this.lock.held ? Math.max(1, (this.roundTripMs * ROUND_TRIPS_TO_CONNECT) / timings.workerConnectMs) : undefined;
  }

  private async loop(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.turn();
      } catch (error) {
        this.options.logger.debug({ peer: this.options.peer, err: error }, 'a comparison of replication failed');
      }
      await pause(this.settling ? timings.settleEveryMs : timings.compareEveryMs, this.stopping.signal);
    }
    this.there?.destroy(new Error('stopping'));
    await this.lock.release();
  }

  private get settling(): boolean {
    const { mending, unreachable, step } = this.facts;
    return mending && unreachable === undefined && (step.kind === 'rebuild' || (step.kind === 'wait' && step.cause === 'peer-not-ready'));
  }

  private async turn(): Promise<void> {
    const here = await this.lock.take().catch((error: unknown) => {
      this.learn({ mending: false });
      throw error;
    });
    if (here === undefined) return this.learn({ mending: false, step: { kind: 'nothing' }, unreachable: undefined, failure: undefined });
    const own = await this.settleHere(here);
    const peer = await this.askPeer();
    if (peer === undefined) return this.learn({ mending: true });
    const wide = [...new Set([...this.options.tables, ...(peer.publication?.tables ?? [])])];
    const compared = wide.length === this.options.tables.length ? own : await inspectOwn(here, this.options.peer, wide);
    await this.take(here, compared, decideWithPeer(compared, peer, this.wanted()));
  }

  /** Puts right what needs no peer. */
  private async settleHere(here: Session): Promise<OwnSeen> {
    const { peer, tables, logger } = this.options;
    const own = await inspectOwn(here, peer, tables);
    if (own.leftover) await dropReplaced(here, peer);
    const step = decideHere(own, this.wanted());
    if (step.kind !== 'alter') return own;
    for (const statement of step.statements) await here.query(statement, undefined, timings.ownQueryMs);
    this.learn({ mended: { ...this.facts.mended, [step.what]: (this.facts.mended[step.what] ?? 0) + 1 } });
    logger.warn({ peer, what: step.what }, 'the subscription was not as it should be and was put right');
    return inspectOwn(here, peer, tables);
  }

  private async take(here: Session, own: OwnSeen, step: Step): Promise<void> {
    if (step.kind === 'wait' && (this.facts.step.kind !== 'wait' || this.facts.step.detail !== step.detail)) {
      this.options.logger.warn({ peer: this.options.peer, cause: step.cause, detail: step.detail }, 'replication waits');
    }
    this.learn({ mending: true, step, ...(step.kind === 'rebuild' ? {} : { failure: undefined }) });
    if (step.kind !== 'rebuild' || this.options.monoMs() < this.notBeforeMono) return;
    await this.copy(here, own, step);
  }

  private async copy(here: Session, own: OwnSeen, step: Extract<Step, { kind: 'rebuild' }>): Promise<void> {
    const { reader, peer, database, tables, logger, monoMs } = this.options;
    const begun = monoMs();
    this.learn({ copying: true });
    try {
      const counts = await rebuild(here, { reader, peer, peerIncarnation: this.incarnation, reason: step.reason, database, tables, note: own.subscription?.note ?? null, patience: this.patience ?? 1, signal: this.stopping.signal });
      this.failures = 0;
      this.learn({ copying: false, failure: undefined, step: { kind: 'nothing' } });
      logger.warn({ peer, reason: step.reason, ...counts, tookMs: Math.round(monoMs() - begun) }, 'the rows of the peer were copied and the subscription made');
    } catch (error) {
      const waitMs = Math.min(timings.rebuildBackoffMs * 2 ** this.failures, timings.rebuildBackoffMaxMs);
      this.failures += 1;
      this.notBeforeMono = monoMs() + waitMs;
      this.learn({ copying: false, failure: messageOf(error) });
      if (!this.stopping.signal.aborted) logger.warn({ peer, reason: step.reason, waitMs, err: error }, 'copying the rows of the peer failed and will be begun anew');
    }
  }

  /** The peer's answer over a connection that is kept; undefined, and the reason learnt, where it gives none. */
  private async askPeer(): Promise<PeerSeen | undefined> {
    const { database, peer, reader, monoMs } = this.options;
    try {
      if (this.there?.alive !== true) this.there = await database.open('sql', this.openings++ % PATIENT_EACH === PATIENT_EACH - 1 ? timings.connectSlowlyMs : timings.connectMs);
      if (this.stopping.signal.aborted) this.there.destroy(new Error('stopping'));
      const asked = monoMs();
      const seen = await inspectPeer(this.there, peer, reader);
      this.roundTripMs = monoMs() - asked;
      this.openings = 0;
      this.learn({ unreachable: undefined });
      return seen;
    } catch (error) {
      this.there?.destroy(error as Error);
      this.learn({ unreachable: messageOf(error) });
      return undefined;
    }
  }

  private wanted(): Wanted {
    const { reader, peer, tables, database } = this.options;
    return { reader, peer, peerIncarnation: this.incarnation, tables, conninfo: database.conninfo };
  }

  private learn(facts: Partial<SetupFacts>): void {
    this.facts = { ...this.facts, ...facts };
  }
}

/** Round trips of a TLS connection until the stream begins, with one packet lost on the way. */
const ROUND_TRIPS_TO_CONNECT = 8;
/** Every so many openings in a row one is given longer, so that a slow link is told from a dead one. */
const PATIENT_EACH = 3;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)) || 'no reason given';
