/**
 * A circuit breaker whose probes are never clients' calls (contract, "What works when"): failures in a row open it, and
 * only a heartbeat that was asked for after it opened, and says that the peer can serve, closes it. Cockatiel's breaker
 * lets a client's call through half-open, which is why this one is ours (docs/decisions/0003).
 */
export class Breaker {
  private failuresInRow = 0;
  private openedAtMonoMs: number | undefined;

  constructor(private readonly failuresToOpen: number) {}

  get open(): boolean {
    return this.openedAtMonoMs !== undefined;
  }

  succeeded(): void {
    this.failuresInRow = 0;
  }

  failed(nowMonoMs: number): void {
    this.failuresInRow += 1;
    if (this.failuresInRow >= this.failuresToOpen) this.openedAtMonoMs ??= nowMonoMs;
  }

  /** A heartbeat that was sent off at `sentAtMonoMs` came back, from a peer that says it can serve. */
  probed(sentAtMonoMs: number): void {
    if (this.openedAtMonoMs === undefined || sentAtMonoMs <= this.openedAtMonoMs) return;
    this.openedAtMonoMs = undefined;
    this.failuresInRow = 0;
  }
}
