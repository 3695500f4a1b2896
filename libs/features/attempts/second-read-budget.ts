import type { Clock } from '#kernel/clock';
import { OverloadedError } from '#kernel/problems';
import { addressKey } from './keys.js';

const WINDOW_MS = 60_000;
/** Second reads of one identifier in a minute (contract, "Attempts"). */
const PER_IDENTIFIER = 10;
/** Second reads asked from one address in a minute: its share, above what a crowd behind one address needs. */
const PER_ADDRESS = 300;
/** Second reads under way at one peer: half of the connection's places, so that other reads pass beside a flood of these. */
const PER_PEER = 32;
/** Keys in one window before a new one is refused: bounds the memory that an attack can take. */
const MOST_KEYS = 100_000;

/** A second read that is about to be asked. */
export interface SecondRead {
  /** Normalised. */
  readonly identifier: string;
  readonly address: string;
  readonly peer: string;
}

/** Bounds second reads in this process: a budget spent is `overloaded`, never a stale 401. */
export class SecondReadBudget {
  private counts = new Map<string, number>();
  private windowEndMs = Number.NEGATIVE_INFINITY;
  private readonly underWay = new Map<string, number>();

  constructor(private readonly clock: Pick<Clock, 'monoMs'>) {}

  /**
   * @returns to be called once, when the read has ended
   * @throws OverloadedError
   */
  take({ identifier, address, peer }: SecondRead): () => void {
    const underWay = this.underWay.get(peer) ?? 0;
    if (underWay >= PER_PEER) throw new OverloadedError();
    const retryAfterSeconds = this.startWindow() / 1_000;
    const shares: [string, number][] = [[`i:${identifier}`, PER_IDENTIFIER], [`a:${addressKey(address)}`, PER_ADDRESS]];
    for (const [key, most] of shares) {
      if ((this.counts.get(key) ?? 0) >= most || this.counts.size >= MOST_KEYS) throw new OverloadedError('Too many questions about this sign-in: try again later', retryAfterSeconds);
    }
    for (const [key] of shares) this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    this.underWay.set(peer, underWay + 1);
    return () => {
      this.underWay.set(peer, this.underWay.get(peer)! - 1);
    };
  }

  /** @returns ms until the window ends */
  private startWindow(): number {
    const nowMs = this.clock.monoMs();
    if (nowMs >= this.windowEndMs) {
      this.counts = new Map();
      this.windowEndMs = nowMs + WINDOW_MS;
    }
    return this.windowEndMs - nowMs;
  }
}
