import { HomeUnavailableError, OutcomeUnknownError, UnavailableError, fromProblem } from '#kernel/problems';
import type { Deadline, Peer } from './peer.js';

/**
 * Sends a write to the home under a deadline on the home's clock, and names the outcome (design, rule 5):
 * certainly not done is HomeUnavailableError, sent and not answered is OutcomeUnknownError.
 * @returns what the home answered
 * @throws the home's own refusal, rebuilt
 */
export async function forwardWrite<T>(home: Peer, path: string, body: (deadline: Deadline) => object, budgetMs: number): Promise<T> {
  const deadline = home.deadlineIn(budgetMs);
  if (deadline === undefined) throw new HomeUnavailableError(home.name);
  const outcome = await home.call<T>('write', path, body(deadline), budgetMs);
  if (outcome.kind === 'not-sent') throw new HomeUnavailableError(home.name);
  if (outcome.kind === 'unknown') throw new OutcomeUnknownError(home.name);
  if (outcome.status < 300) return outcome.body;
  const refusal = fromProblem(outcome.status, outcome.body);
  // A part of the home is gone: to this client that is the home which can not do it now.
  if (refusal instanceof UnavailableError) throw new HomeUnavailableError(home.name);
  throw refusal ?? new OutcomeUnknownError(home.name);
}
