import { HomeUnavailableError, OutcomeUnknownError } from '#kernel/problems';

/** Writes remembered at once: about 1 MB. */
const MOST = 10_000;

/**
 * Writes with a client's key that were sent and not answered. Of such a one "certainly not done" can't be said any more: where its
 * repetition can't be sent, its outcome is as unknown as before. A process that starts anew has forgotten them.
 */
export class UnknownOutcomes {
  private readonly writes = new Set<string>();

  answered(write: string): void {
    this.writes.delete(write);
  }

  /** What a write that failed so is to its client, whatever its earlier attempts came to. */
  named(error: unknown, write: string): unknown {
    if (error instanceof OutcomeUnknownError) this.remember(write);
    return error instanceof HomeUnavailableError && this.writes.has(write) ? new OutcomeUnknownError(error.home) : error;
  }

  private remember(write: string): void {
    if (this.writes.size >= MOST) for (const oldest of [...this.writes].slice(0, MOST / 10)) this.writes.delete(oldest);
    this.writes.add(write);
  }
}
