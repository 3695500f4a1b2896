/** What one account is told outside of Homeward, the same for every channel. */
export interface OutsideMessage {
  /** The notification's id, a hash of what it tells: whoever receives it twice can tell by it. */
  readonly id: string;
  readonly kind: string;
  readonly account: string;
  /** Normalised. Never in a log, nor in what is kept of a failure. */
  readonly identifier: string;
  readonly locale: 'en' | 'zh';
  readonly title: string;
  readonly body: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * What became of one sending. `why` is fit for a log: it never holds what was sent or whom to.
 * - `acknowledged`: the receiver has it;
 * - `refused`: the receiver said no; `forGood` where the same message would meet the same answer;
 * - `unknown`: sent, perhaps, and not answered: sent again it carries the same id.
 */
export type Sending =
  | { readonly outcome: 'acknowledged' }
  | { readonly outcome: 'refused'; readonly why: string; readonly forGood: boolean }
  | { readonly outcome: 'unknown'; readonly why: string };

/** A way out of Homeward. */
export interface Channel {
  readonly name: string;
  /** Whether it can reach that identifier at all: e-mail doesn't reach a phone number. */
  reaches(identifier: string): boolean;
  /** Sends once, within `limitMs`. Never throws. */
  send(message: OutsideMessage, limitMs: number): Promise<Sending>;
}
