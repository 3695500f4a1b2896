import { OverloadedError } from '#kernel/problems';

/** Longest wait for the outcome of attempts that were begun before. */
const WAIT_MS = 2_000;
/** Attempts of one key that may wait: more than anybody needs, few enough that a flood of one key costs next to nothing. */
const MOST_WAITING = 64;
const FULL = 'Too many attempts are under way: try again';

interface Lane {
  inFlight: number;
  /** Counts ends, so that a number read before one is read again. */
  ends: number;
  /** In order of arrival: an end wakes the first of them. */
  waiting: Set<() => void>;
}

/**
 * Lets at most as many attempts of one key be under way as may still fail. Without it a burst would all pass before the
 * first of them is counted.
 */
export class AttemptGate {
  private readonly lanes = new Map<string, Lane>();

  /**
   * @param remaining how many more may fail, asked as often as needed; throws where none may
   * @returns to be called once, when the attempt is over and counted
   * @throws OverloadedError when others take too long; what `remaining` throws
   */
  async enter(key: string, remaining: () => Promise<number>): Promise<() => void> {
    const lane = this.lanes.get(key) ?? { inFlight: 0, ends: 0, waiting: new Set() };
    this.lanes.set(key, lane);
    const untilMs = performance.now() + WAIT_MS;
    try {
      for (;;) {
        const { ends } = lane;
        const left = await remaining().catch((error: unknown) => {
          // Who was woken and goes away passes the place on.
          this.wakeFirst(lane);
          throw error;
        });
        if (lane.ends !== ends) continue;
        if (lane.inFlight < left) {
          lane.inFlight += 1;
          return () => this.leave(key, lane);
        }
        await this.nextEnd(lane, untilMs - performance.now());
      }
    } catch (error) {
      this.forget(key, lane);
      throw error;
    }
  }

  private leave(key: string, lane: Lane): void {
    lane.inFlight -= 1;
    lane.ends += 1;
    this.wakeFirst(lane);
    this.forget(key, lane);
  }

  private wakeFirst(lane: Lane): void {
    const [first] = lane.waiting;
    if (first === undefined) return;
    lane.waiting.delete(first);
    first();
  }

  /** A lane is dropped with its last attempt. One that is still asking keeps its own, which costs exactness, not safety of the counts. */
  private forget(key: string, lane: Lane): void {
    if (lane.inFlight === 0 && lane.waiting.size === 0 && this.lanes.get(key) === lane) this.lanes.delete(key);
  }

  private nextEnd(lane: Lane, withinMs: number): Promise<void> {
    if (lane.waiting.size >= MOST_WAITING) return Promise.reject(new OverloadedError(FULL));
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        lane.waiting.delete(wake);
        reject(new OverloadedError(FULL));
      }, Math.max(0, withinMs));
      lane.waiting.add(wake);
    });
  }
}
