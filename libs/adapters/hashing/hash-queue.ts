import { availableParallelism } from 'node:os';
import { OverloadedError } from '#kernel/problems';
import type { Logger } from '#kernel/telemetry';
import { HashChildProcess } from './hash-child-process.js';
import { CURRENT_PREFIX, DUMMY_HASH } from './parameters.js';
import type { HashReplyMessage } from './protocol.js';

/** Places to wait: with two cores the last one waits half a second, which a client's budget bears. */
const PLACES = 64;
/** Longest time for all the hashes of one call, waiting included: below a forwarded write's budget, so that its refusal still gets there. */
const BUDGET_MS = 2_500;
/** Times that a job is given to a child: once more after the first died, then it is taken for what kills children. */
const TRIES = 2;
/** Weight of the newest duration in the running mean. */
const MEAN_WEIGHT = 0.05;
/** Told to whoever finds no place, sign-ins, registrations and password changes alike. */
const FULL = 'Too many passwords are being hashed: try again';
/** How long a stop lets running jobs end. */
const STOP_MS = 1_000;

export interface HashOptions {
  /** The caller's address signed in with this identifier before: half of the places are kept for such callers. */
  readonly preferred?: boolean;
  /** What `budget` gave to the call that this hash belongs to; a hash that is alone has the whole budget. */
  readonly untilMs?: number;
}

interface Job {
  readonly id: number;
  readonly password: string;
  readonly against: string | undefined;
  readonly preferred: boolean;
  readonly settle: { resolve: (reply: HashReplyMessage) => void; reject: (error: Error) => void };
  timer: NodeJS.Timeout | undefined;
  startedMs: number;
  tries: number;
  over: boolean;
}

/**
 * Password hashing, argon2id, in a process of its own at the lowest priority, behind a bounded queue: an attack with wrong
 * passwords costs neither the session checks nor, since half of the places are kept for them, those who signed in before.
 */
export class HashQueue {
  readonly id = 'hashing';
  /** Takes the time of a comparison and matches nothing. */
  readonly dummyHash = DUMMY_HASH;
  private readonly child: HashChildProcess;
  private readonly concurrency = availableParallelism();
  private readonly waitingJobs: Record<'preferred' | 'others', Job[]> = { preferred: [], others: [] };
  private readonly runningJobs = new Map<number, Job>();
  private preferredNext = true;
  private lastId = 0;
  private stopping = false;
  private meanMs: number | undefined;

  constructor(private readonly logger: Logger) {
    this.child = new HashChildProcess(
      this.concurrency,
      { reply: (message) => this.replied(message), ready: () => this.fill(), lost: () => this.childLost() },
      this.logger,
    );
  }

  run(): void {
    this.child.start();
  }

  /** Refuses what waits, lets what runs end. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const job of [...this.waitingJobs.preferred.splice(0), ...this.waitingJobs.others.splice(0)]) this.refuse(job, 'The service is stopping');
    const untilMs = performance.now() + STOP_MS;
    while (this.runningJobs.size > 0 && this.child.alive && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 10));
    await this.child.stop();
  }

  /** By when, on this process's monotonic clock, all the hashes of a call that begins now must be over. */
  budget(): number {
    return performance.now() + BUDGET_MS;
  }

  /** Jobs that wait for a core. */
  get waiting(): number {
    return this.waitingJobs.preferred.length + this.waitingJobs.others.length;
  }

  /** Running mean of the time that one hash takes, without waiting, in ms; undefined before the first. */
  get typicalMs(): number | undefined {
    return this.meanMs;
  }

  /**
   * @returns the PHC text of a new hash
   * @throws OverloadedError when no place is free or the time is up
   */
  async hash(password: string, options: HashOptions = {}): Promise<string> {
    const reply = await this.add(password, undefined, options);
    if (!('hash' in reply)) throw new Error('the hashing process answered something else than a hash');
    return reply.hash;
  }

  /**
   * @param hash PHC text; its own parameters count
   * @throws OverloadedError when no place is free or the time is up; Error for a text that is no hash
   */
  async verify(hash: string, password: string, options: HashOptions = {}): Promise<boolean> {
    const reply = await this.add(password, hash, options);
    if (!('matches' in reply)) throw new Error('the hashing process answered something else than a comparison');
    return reply.matches;
  }

  /** Takes as long as `verify` and is never right: for accounts that are not known. @throws OverloadedError as `verify` does */
  async verifyAgainstNothing(password: string, options: HashOptions = {}): Promise<false> {
    await this.add(password, DUMMY_HASH, options);
    return false;
  }

  /** Whether a hash has other parameters than new ones get. */
  needsRehash(hash: string): boolean {
    return !hash.startsWith(CURRENT_PREFIX);
  }

  private add(password: string, against: string | undefined, { preferred = false, untilMs = this.budget() }: HashOptions): Promise<HashReplyMessage> {
    if (this.stopping || untilMs <= performance.now() || this.isFull(preferred)) return Promise.reject(new OverloadedError(FULL));
    return new Promise((resolve, reject) => {
      const job: Job = { id: ++this.lastId, password, against, preferred, settle: { resolve, reject }, timer: undefined, startedMs: 0, tries: 0, over: false };
      job.timer = setTimeout(() => this.refuse(job, FULL), untilMs - performance.now());
      this.lane(job).push(job);
      this.fill();
    });
  }

  /** Others may take half of the places; the other half is there for the preferred even when those are full. */
  private isFull(preferred: boolean): boolean {
    if (this.runningJobs.size < this.concurrency && this.child.alive) return false;
    return this.waiting >= PLACES || (!preferred && this.waitingJobs.others.length >= PLACES / 2);
  }

  private lane(job: Job): Job[] {
    return this.waitingJobs[job.preferred ? 'preferred' : 'others'];
  }

  private fill(): void {
    while (this.runningJobs.size < this.concurrency && this.child.alive) {
      const job = this.takeNext();
      if (job === undefined) return;
      if (!this.child.send({ id: job.id, password: job.password, ...(job.against === undefined ? {} : { against: job.against }) })) {
        this.lane(job).unshift(job);
        return;
      }
      job.tries += 1;
      job.startedMs = performance.now();
      this.runningJobs.set(job.id, job);
    }
  }

  /** Takes from both lanes by turns, so that neither starves the other. */
  private takeNext(): Job | undefined {
    const { preferred, others } = this.waitingJobs;
    const lanes = this.preferredNext ? [preferred, others] : [others, preferred];
    const lane = lanes.find(({ length }) => length > 0);
    this.preferredNext = lane !== preferred;
    return lane?.shift();
  }

  private replied(message: HashReplyMessage): void {
    const job = this.runningJobs.get(message.id);
    if (job === undefined) return;
    this.runningJobs.delete(message.id);
    const tookMs = performance.now() - job.startedMs;
    this.meanMs = this.meanMs === undefined ? tookMs : this.meanMs + (tookMs - this.meanMs) * MEAN_WEIGHT;
    this.fill();
    if (this.runningJobs.size === 0) this.child.idle();
    if ('failed' in message) this.settle(job, () => job.settle.reject(new Error(`hashing failed: ${message.failed}`)));
    else this.settle(job, () => job.settle.resolve(message));
  }

  /** What the dead child was working on is done again, since hashing has no effect; but not for ever. */
  private childLost(): void {
    const lost = [...this.runningJobs.values()].filter((job) => !job.over);
    this.runningJobs.clear();
    for (const job of lost.reverse()) {
      if (job.tries < TRIES && !this.stopping) this.lane(job).unshift(job);
      else this.refuse(job, 'The password could not be hashed: try again');
    }
  }

  /** A waiting job leaves its place at once; a running one is let run, its answer finds nobody. */
  private refuse(job: Job, why: string): void {
    const lane = this.lane(job);
    const place = lane.indexOf(job);
    if (place >= 0) lane.splice(place, 1);
    this.settle(job, () => job.settle.reject(new OverloadedError(why)));
  }

  private settle(job: Job, how: () => void): void {
    if (job.over) return;
    job.over = true;
    clearTimeout(job.timer);
    how();
  }
}
