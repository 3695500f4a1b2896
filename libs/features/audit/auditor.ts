import type { Peer, Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import type { RedisStore } from '#adapters/redis';
import type { Logger } from '#kernel/telemetry';
import type { AskedBy, AuditLog, AuditResult, AuditView } from './audit-log.js';
import { type Finding, type OwnerResult, compareOwner } from './compare-owner.js';
import { INVARIANTS, type Invariant, type InvariantResult, OUTBOX_CONFIRMED, REDIS_FED, findBreaches, resultOf } from './invariants.js';
import { untilMarkApplied } from './marker.js';
import { Owner, OwnerUnavailableError } from './owner.js';
import { Pace } from './pace.js';

/** Share of one connection's time that an audit takes: one that somebody waits for, and one that the clock asks for. */
const SHARE: Record<AskedBy, number> = { operator: 0.8, repair: 0.8, schedule: 0.04 };
const ALIVE_EVERY_MS = 2_000;
/** The clock, the links and Redis are looked at so often; how often the clock asks for an audit is configured. */
const LOOK_EVERY_MS = 15_000;
/** A link or Redis that was away until then may still have a backlog, which is no breach. */
const BACK_FOR_MS = 90_000;

export interface AuditorParts {
  readonly region: string;
  readonly database: Database;
  readonly peers: Peers;
  readonly redis: RedisStore;
  readonly log: AuditLog;
  /** Minutes between audits that nobody asked for; 0: none. */
  readonly everyMinutes: number;
  readonly logger: Logger;
}

/**
 * Compares this region's copies with their owners and asks the invariants, when asked and every few minutes by itself. One
 * audit at a time in a region. It only reports: what to do about it is a call of its own (`Repair`).
 */
export class Auditor {
  readonly id = 'auditor';
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> = Promise.resolve();
  private startedMs = 0;
  private linkLostMs = 0;
  private redisLostMs = 0;

  constructor(private readonly parts: AuditorParts) {}

  run(): void {
    this.startedMs = this.linkLostMs = this.redisLostMs = performance.now();
    this.timer = setInterval(() => {
      this.noteLosses();
      void this.askByClock();
    }, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.underWay;
  }

  /**
   * Begins an audit and does not wait for it; the one that runs, where one does.
   * @throws DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async ask(askedBy: AskedBy): Promise<{ id: string; begun: boolean }> {
    const asked = await this.parts.log.begin(askedBy);
    if (asked.begun) this.underWay = this.carryOut(asked.id, askedBy);
    return asked;
  }

  view(id: string): Promise<AuditView | undefined> {
    return this.parts.log.view(id);
  }

  private noteLosses(): void {
    const { peers, redis } = this.parts;
    if (!peers.all.every((peer) => peer.linkUp)) this.linkLostMs = performance.now();
    if (!redis.connected) this.redisLostMs = performance.now();
  }

  private async askByClock(): Promise<void> {
    const { everyMinutes, log } = this.parts;
    if (everyMinutes === 0) return;
    try {
      // A new region has enough to do at its start, and nothing to compare.
      const due = (await log.isDue(everyMinutes)) ?? performance.now() - this.startedMs > everyMinutes * 60_000;
      if (due) await this.ask('schedule');
    } catch (error) {
      this.parts.logger.debug({ err: error }, 'an audit is left to the next time');
    }
  }

  private async carryOut(id: string, askedBy: AskedBy): Promise<void> {
    const { log, logger } = this.parts;
    const pace = new Pace(SHARE[askedBy], this.stopping.signal);
    const alive = setInterval(() => void log.alive(id).then((by) => (pace.share = SHARE[by]), () => undefined), ALIVE_EVERY_MS);
    try {
      const { result, owners } = await this.audit(pace);
      await log.end(id, result, owners);
      const { owners: _, invariants, ...told } = result;
      const broken = invariants.filter(({ state }) => state === 'broken').map(({ name }) => name);
      logger[result.alarm ? 'warn' : 'info']({ audit: id, ...told, broken }, result.alarm ? 'the audit found what should not be' : 'the audit found nothing');
    } catch (error) {
      const stopped = this.stopping.signal.aborted;
      if (!stopped) logger.warn({ audit: id, err: error }, 'the audit could not be carried out');
      await log.giveUp(id, stopped ? 'interrupted' : 'failed').catch((lost: unknown) => logger.debug({ err: lost }, 'the end of an audit could not be stored'));
    } finally {
      clearInterval(alive);
    }
  }

  private async audit(pace: Pace): Promise<{ result: AuditResult; owners: OwnerResult[] }> {
    const { region, database, peers } = this.parts;
    const begunMs = performance.now();
    const owners: OwnerResult[] = [];
    for (const peer of peers.all) owners.push(await compareOwner({ own: region, database, owner: new Owner(peer), pace }));
    const certain = withoutClaimedEpochs(owners, await this.accountsHere(owners));
    const invariants = await this.askInvariants(pace);
    return { result: summed(certain, invariants, Math.round(performance.now() - begunMs)), owners: certain };
  }

  /** Which accounts of surplus epochs are here: their homes have spoken for themselves. */
  private async accountsHere(owners: readonly OwnerResult[]): Promise<Set<string>> {
    const accounts = owners.flatMap(({ findings }) => findings.filter(isSurplusEpoch).map(({ key }) => key[0]!));
    const rows = await this.parts.database.query<{ id: string }>('SELECT id FROM account WHERE id = ANY ($1)', [accounts]);
    return new Set(rows.map(({ id }) => id));
  }

  private async askInvariants(pace: Pace): Promise<InvariantResult[]> {
    const { region, database, peers } = this.parts;
    this.noteLosses();
    const isBack = (lostMs: number): boolean => performance.now() - lostMs > BACK_FOR_MS;
    const asked: Invariant[] = [...INVARIANTS, ...(isBack(this.linkLostMs) ? [OUTBOX_CONFIRMED] : []), ...(isBack(this.redisLostMs) ? [REDIS_FED] : [])];
    const suspected: { invariant: Invariant; first: ReadonlySet<string> }[] = [];
    const results: InvariantResult[] = [];
    for (const invariant of asked) {
      const first = await findBreaches(database, region, invariant, pace).catch((error: unknown) => this.couldNotAsk(error, invariant));
      if (first === undefined) results.push({ name: invariant.name, state: 'unknown', count: 0, evidence: [] });
      else if (first.size === 0) results.push(resultOf(invariant.name, first, first));
      else suspected.push({ invariant, first });
    }
    // Rows of a peer may have been late: what a second look does not show any more was no breach.
    if (suspected.length > 0) for (const peer of peers.all) await this.untilApplied(peer, pace);
    for (const { invariant, first } of suspected) results.push(resultOf(invariant.name, first, await findBreaches(database, region, invariant, pace)));
    return results;
  }

  private couldNotAsk(error: unknown, { name }: Invariant): undefined {
    this.stopping.signal.throwIfAborted();
    this.parts.logger.debug({ err: error, invariant: name }, 'an invariant could not be asked');
  }

  private async untilApplied(peer: Peer, { signal }: Pace): Promise<void> {
    const { region, database } = this.parts;
    await untilMarkApplied(database, region, new Owner(peer), signal).catch((error: unknown) => {
      if (!(error instanceof OwnerUnavailableError)) throw error;
    });
  }
}

const isSurplusEpoch = ({ table, kind }: Finding): boolean => table === 'credential_epoch' && kind === 'surplus';

/**
 * An epoch whose account is not here may be anybody's (`sources.ts`): it is surplus where every peer says so, and is told once.
 * Pure. @param here accounts that are here
 */
export function withoutClaimedEpochs(owners: readonly OwnerResult[], here: ReadonlySet<string>): OwnerResult[] {
  const denied = owners.map(({ findings }) => new Set(findings.filter(isSurplusEpoch).map(({ key }) => key[0]!)));
  const isTold = (index: number, { key }: Finding): boolean => here.has(key[0]!) || (index === 0 && denied.every((accounts) => accounts.has(key[0]!)));
  return owners.map((result, index) => {
    const table = result.tables['credential_epoch'];
    if (table === undefined) return result;
    const findings = result.findings.filter((finding) => !isSurplusEpoch(finding) || isTold(index, finding));
    return { ...result, findings, tables: { ...result.tables, credential_epoch: { ...table, surplus: findings.filter(isSurplusEpoch).length } } };
  });
}

function summed(owners: readonly OwnerResult[], invariants: readonly InvariantResult[], tookMs: number): AuditResult {
  const tables = owners.flatMap((owner) => Object.values(owner.tables));
  const sum = (of: 'rows' | 'missing' | 'different' | 'surplus' | 'undecided'): number => tables.reduce((total, table) => total + table[of], 0);
  const [missing, different, surplus, undecided] = [sum('missing'), sum('different'), sum('surplus'), sum('undecided')];
  const whole = owners.every(({ unavailable }) => unavailable === undefined) && tables.every(({ skipped, truncated }) => skipped === undefined && truncated === undefined);
  return {
    complete: whole && undecided === 0 && invariants.every(({ state }) => state !== 'unknown'),
    alarm: missing + different + surplus > 0 || invariants.some(({ state }) => state === 'broken'),
    rows: sum('rows'), missing, different, surplus, undecided,
    owners: Object.fromEntries(owners.map(({ owner, unavailable, tables: of }) => [owner, { ...(unavailable === undefined ? {} : { unavailable }), tables: of }])),
    invariants, tookMs,
  };
}
