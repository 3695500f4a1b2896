import { setTimeout as pause } from 'node:timers/promises';

/**
 * Keeps background work to a share of one connection's time: after each small piece it rests for as long as the share asks.
 */
export class Pace {
  /** @param share above 0, at most 1; may be changed while the work goes on */
  constructor(
    public share: number,
    readonly signal: AbortSignal,
  ) {}

  /** One piece of work, then the rest that it costs. @throws what `work` throws, or an AbortError */
  async take<T>(work: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const begunMs = performance.now();
    const result = await work();
    await pause((performance.now() - begunMs) * (1 / this.share - 1), undefined, { signal: this.signal });
    return result;
  }
}
