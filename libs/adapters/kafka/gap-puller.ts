import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { withDeadline } from './connection.js';
import type { Incoming } from './plan-run.js';
import type { EventSource } from './stream-effect.js';
import type { StreamLane } from './stream-lane.js';

/** Events of one page. */
const PAGE = 500;
/** Longest wait for one page, whatever the peer client's own deadline is. */
const PAGE_DEADLINE_MS = 5_000;
/** Longest copy of a state whose events are gone. */
const RESYNC_DEADLINE_MS = 600_000;
/** First and longest pause after a pull that failed. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;
/** A head that Kafka has not brought this long is pulled (recovery.md: a healed reader needs at most 1.3 s). */
const LATE_MS = 1_000;
/** A writer whose head stays behind what was applied here for this long has lost events that it had sent. */
const REGRESSED_MS = 10_000;

const NOT_LATE = { head: 0, offset: -1 };

/** How a pull ended. */
export interface Pulled {
  /** After how many ms it may be tried again: 0 when it is done, more when it failed. */
  readonly waitMs: number;
  /** The writer's head, as told after the pull was asked for; undefined where the writer has not answered since. */
  readonly head: number | undefined;
}

/**
 * Pulls what Kafka did not bring, by number from the writer itself (design, rule 3): a gap, a lost tail, a topic that was
 * deleted, a dead Kafka. One page at a time per partition.
 */
export class GapPuller {
  /** How many events were pulled. */
  pulled = 0;
  /** How often the writer's state was copied, since its events were gone. */
  resynced = 0;
  /** Pulled in any case: behind it Kafka has shown a gap. */
  private wanted = 0;
  /** A head that Kafka was late with, and the lane's Kafka offset then. */
  private late = NOT_LATE;
  private pulling: Promise<void> | undefined;
  private notBefore = 0;
  private retryMs = RETRY_MS;
  private stopped = false;
  private seenLast = 0;
  private lateSince: number | undefined;
  private regressedSince: number | undefined;
  /** The head that the writer told with its last page, and when it was asked for it. */
  private told: { readonly head: number; readonly askedMs: number } | undefined;

  constructor(
    private readonly lane: StreamLane,
    private readonly source: EventSource,
    private readonly logger: Logger,
  ) {}

  /** Whether the writer's head has stayed behind what was applied here: a restored backup, a lost disk. */
  get regressed(): boolean {
    return this.regressedSince !== undefined && performance.now() - this.regressedSince > REGRESSED_MS;
  }

  /** The writer's head, as told by another channel than Kafka; pulls when Kafka is late. */
  notice(head: number): void {
    const now = performance.now();
    const { last } = this.lane;
    this.regressedSince = head < last ? (this.regressedSince ?? now) : undefined;
    if (head <= last || last !== this.seenLast) this.lateSince = undefined;
    this.seenLast = last;
    if (head <= last) return;
    this.lateSince ??= now;
    if (now - this.lateSince <= LATE_MS) return;
    this.late = { head, offset: this.lane.offset };
    void this.pullThrough(0);
  }

  /**
   * Pulls until `target` is applied, or until the writer says that it has not written that far. A second call joins the
   * first.
   */
  async pullThrough(target: number): Promise<Pulled> {
    const calledMs = performance.now();
    this.wanted = Math.max(this.wanted, target);
    const waitMs = this.notBefore - calledMs;
    if (waitMs > 0 && this.pulling === undefined) return { waitMs, head: undefined };
    this.pulling ??= this.pullAll().finally(() => (this.pulling = undefined));
    await this.pulling;
    // A pull that was under way may have asked before what is missing was written.
    const head = this.told !== undefined && this.told.askedMs >= calledMs ? this.told.head : undefined;
    return { waitMs: Math.max(0, this.notBefore - performance.now()), head };
  }

  stop(): void {
    this.stopped = true;
  }

  private async pullAll(): Promise<void> {
    try {
      await this.lane.load();
      while (!this.stopped && this.lane.last < this.target()) await this.pullPage();
      this.retryMs = RETRY_MS;
    } catch (error) {
      this.notBefore = performance.now() + this.retryMs;
      this.retryMs = Math.min(this.retryMs * 2, MAX_RETRY_MS);
      this.wanted = 0;
      this.late = NOT_LATE;
      const { writer, stream, partition, last } = this.lane;
      this.logger.warn({ err: error, writer, stream, partition, last }, 'missing events could not be pulled yet');
    }
  }

  /** A gap must be closed here; what was only late is left to Kafka as soon as that brings some of it, or both would do the work. */
  private target(): number {
    return this.lane.offset === this.late.offset ? Math.max(this.wanted, this.late.head) : this.wanted;
  }

  private async pullPage(): Promise<void> {
    const { writer, stream, partition } = this.lane;
    const from = this.lane.last + 1;
    const askedMs = performance.now();
    const page = await withDeadline(this.source.pull(writer, stream, partition, from, PAGE), PAGE_DEADLINE_MS, 'pulling events');
    this.told = { head: page.head, askedMs };
    if (page.trimmedBelow > from && page.items.length === 0) return this.resync(page.trimmedBelow - 1);
    if (page.items.length === 0) {
      // The one who told of the number was wrong, or the writer has lost it: nothing to pull now.
      this.wanted = Math.min(this.wanted, page.head);
      this.late = { ...this.late, head: Math.min(this.late.head, page.head) };
      if (page.head >= from) throw new Error(`the writer has head ${page.head} but gave nothing from ${from} on`);
      return;
    }
    const batch = page.items.map((bytes, index): Incoming => ({ bytes, offset: undefined, expected: from + index }));
    const gapAt = await this.lane.apply(batch);
    this.pulled += Math.max(0, this.lane.last - from + 1);
    if (this.lane.last >= from) return;
    if (gapAt !== undefined && page.trimmedBelow > from) return this.resync(page.trimmedBelow - 1);
    throw new Error(`the page from ${from} on does not begin there`);
  }

  private async resync(upTo: number): Promise<void> {
    const { writer, stream, partition, last } = this.lane;
    this.logger.warn({ writer, stream, partition, last, upTo }, 'the writer no longer has these events: copying its state instead');
    await withDeadline(this.source.resync(writer, stream, partition, upTo), RESYNC_DEADLINE_MS, 'copying state');
    await this.lane.moveTo(upTo);
    this.resynced += 1;
  }
}
