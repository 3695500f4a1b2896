/** Wakes whoever waits for a replicated row: PostgreSQL notifies when one has been applied here. */
export class Arrivals {
  private readonly waiting = new Map<string, Set<() => void>>();

  /** @param what `<table>:<account>` as the triggers name it; undefined when notifications may have been missed */
  arrived(what: string | undefined): void {
    const woken = what === undefined ? [...this.waiting.values()] : [this.waiting.get(what) ?? new Set<() => void>()];
    for (const set of woken) for (const wake of set) wake();
  }

  /** Resolves when `what` arrives, at the latest after `ms`. */
  next(what: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const set = this.waiting.get(what) ?? new Set();
      const wake = (): void => {
        clearTimeout(timer);
        set.delete(wake);
        if (set.size === 0) this.waiting.delete(what);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(0, ms));
      this.waiting.set(what, set.add(wake));
    });
  }
}
