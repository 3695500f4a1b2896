import type { Clock } from '#kernel/clock';
import { HomeUnavailableError } from '#kernel/problems';

/** Tells, again and again, whether a forwarded write may still happen: its deadline is on this process's own clock. */
export function deadlineGate(clock: Clock, own: string, deadline: { boot: string; monoMs: number }): () => boolean {
  const mayStillHappen = (): boolean => deadline.boot === clock.bootId && clock.monoMs() <= deadline.monoMs;
  // Refused at once where it came late: certainly not done, and never will be (design, rule 5).
  if (!mayStillHappen()) throw new HomeUnavailableError(own);
  return mayStillHappen;
}
