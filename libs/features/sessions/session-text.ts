import type { SessionFacts } from './decide.js';
import type { ReadToken } from './token-reader.js';

/** What stands in place of a session that has ended. */
export const ENDED = 'x';

/** The answer of `GET /v1/sessions/current`, in the contract's order of members. */
export interface SessionAnswer {
  readonly origin: string;
  readonly account: { readonly id: string; readonly identifier: string; readonly home: string };
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly expiresAt: string;
}

/** The parts of a session's text. */
export interface SessionParts {
  readonly epoch: number;
  readonly home: string;
  readonly counters: Record<string, number>;
  /** JSON text of a SessionAnswer, answered to clients as it stands. */
  readonly answer: string;
}

/**
 * A session's text in Redis has three lines: epoch and home, the counters known when it was made (JSON), and the answer of
 * the check (JSON). One key answers the hot path by cutting off two lines; nothing is parsed (hot-paths, "Traps").
 */
export function partsOf(text: string): SessionParts {
  const first = text.indexOf('\n');
  const second = text.indexOf('\n', first + 1);
  const space = text.indexOf(' ');
  return {
    epoch: Number(text.slice(0, space)),
    home: text.slice(space + 1, first),
    counters: JSON.parse(text.slice(first + 1, second)) as Record<string, number>,
    answer: text.slice(second + 1),
  };
}

/** The facts that decide whether a session is good. */
export function factsOf(text: string, hashB64: string): SessionFacts {
  const { epoch, counters } = partsOf(text);
  return { epoch, counters, hashB64 };
}

/** A session that was found good; its parts are cut from the text only when asked for. */
export class CheckedSession {
  constructor(
    private readonly id: ReadToken,
    /** For `Homeward-Read`. */
    readonly read: 'local' | 'origin' | 'cache',
    private readonly text: string,
  ) {}

  get account(): string {
    return this.id.account;
  }

  /** The region that made it. */
  get origin(): string {
    return this.id.region;
  }

  /** SHA-256 of the id, 32 bytes. */
  get hash(): Buffer {
    return this.id.hash;
  }

  /** base64url of `hash`. */
  get hashB64(): string {
    return this.id.hashB64;
  }

  get createdAtMs(): number {
    return this.id.createdAtMs;
  }

  get home(): string {
    return this.text.slice(this.text.indexOf(' ') + 1, this.text.indexOf('\n'));
  }

  /** JSON text of a SessionAnswer. */
  get answer(): string {
    return this.text.slice(this.text.indexOf('\n', this.text.indexOf('\n') + 1) + 1);
  }

  get epoch(): number {
    return Number(this.text.slice(0, this.text.indexOf(' ')));
  }

  get counters(): Record<string, number> {
    return partsOf(this.text).counters;
  }

  get identifier(): string {
    return (JSON.parse(this.answer) as SessionAnswer).account.identifier;
  }
}

export function textOf({ epoch, home, counters, answer }: SessionParts): string {
  return `${epoch} ${home}\n${JSON.stringify(counters)}\n${answer}`;
}
