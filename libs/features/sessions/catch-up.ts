import type { Clock } from '#kernel/clock';

/** From this age on an unapplied ending, or the last look for one, makes checks ask PostgreSQL (design, "Sessions, exactly"). */
const STALE_MS = 1_000;

/**
 * How far Redis lags behind PostgreSQL, as this process knows it. All ages run on the monotonic clock and from the moment
 * *before* the question was sent, so a process that was frozen in between knows nothing rather than something old.
 */
export class CatchUp {
  private lastPassMs = Number.NEGATIVE_INFINITY;
  /** Age of the oldest row that the last pass left, at that pass. */
  private oldestMs: number | undefined;
  private behindSinceMs: number | undefined;
  private readonly waiters = new Set<{ askedMs: number; resolve: () => void }>();

  constructor(private readonly clock: Pick<Clock, 'monoMs'>) {}

  /** Whether Redis may lack an ending that is older than a second, or one that a caller of this process was just told of. */
  get stale(): boolean {
    if (this.behindSinceMs !== undefined) return true;
    const sincePassMs = this.clock.monoMs() - this.lastPassMs;
    return sincePassMs + (this.oldestMs ?? 0) > STALE_MS;
  }

  /** Age of the oldest ending that Redis does not have yet, in ms; undefined when there is none. */
  get oldestPendingMs(): number | undefined {
    return this.oldestMs === undefined ? undefined : this.oldestMs + this.clock.monoMs() - this.lastPassMs;
  }

  /** An ending was promised and could not be applied at once: checks ask PostgreSQL until a later pass has applied all. */
  fellBehind(): void {
    this.behindSinceMs = this.clock.monoMs();
  }

  /** @param startedMs before the pass asked anything; `oldestMs` the age of the oldest row that it left */
  passed(startedMs: number, oldestMs: number | undefined): void {
    this.lastPassMs = startedMs;
    this.oldestMs = oldestMs;
    if (oldestMs !== undefined) return;
    if (this.behindSinceMs !== undefined && this.behindSinceMs < startedMs) this.behindSinceMs = undefined;
    for (const waiter of this.waiters) {
      if (waiter.askedMs > startedMs) continue;
      this.waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Whether, within `limitMs`, a pass that began after this call has left nothing. */
  async caughtUp(limitMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    let waiter: { askedMs: number; resolve: () => void } | undefined;
    const done = new Promise<boolean>((resolve) => {
      waiter = { askedMs: this.clock.monoMs(), resolve: () => resolve(true) };
      this.waiters.add(waiter);
      timer = setTimeout(() => resolve(false), limitMs);
    });
    const result = await done;
    clearTimeout(timer);
    this.waiters.delete(waiter!);
    return result;
  }
}
