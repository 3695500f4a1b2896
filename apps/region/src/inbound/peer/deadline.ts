import type { Clock } from '#kernel/clock';
import { HomeUnavailableError } from '#kernel/problems';

/**
 * Tells, again and again, whether a forwarded write may still happen: its deadline is on this process's own clock.
 * @param late called where it came after its deadline, or was meant for an earlier start of this process
 */
export function deadlineGate(clock: Clock, own: string, deadline: { boot: string; monoMs: number }, late: () => void): () => boolean {
  const mayStillHappen = (): boolean => deadline.boot === clock.bootId && clock.monoMs() <= deadline.monoMs;
  // Refused at once where it came late: certainly not done, and never will be (design, rule 5).
  if (!mayStillHappen()) {
    late();
    throw new HomeUnavailableError(own);
  }
  return mayStillHappen;
}
