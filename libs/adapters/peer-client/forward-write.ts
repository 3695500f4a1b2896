import { limits } from '#kernel/config';
import { HomeUnavailableError, OutcomeUnknownError, UnavailableError, fromProblem } from '#kernel/problems';
import type { Deadline } from './peer.js';
import type { Peers } from './peers.js';

/**
 * Sends a write to the home under a deadline on the home's clock, within a write's budget, and names the outcome (design,
 * rule 5): certainly not done is HomeUnavailableError, sent and not answered is OutcomeUnknownError, also of an earlier attempt.
 * @param write what a client's repetition of it has in common with it; undefined where the client gave no key
 * @returns what the home answered
 * @throws the home's own refusal, rebuilt
 */
export async function forwardWrite<T>(peers: Peers, home: string, path: string, body: (deadline: Deadline) => object, write?: string): Promise<T> {
  if (write === undefined) return sendWrite<T>(peers, home, path, body);
  try {
    const answer = await sendWrite<T>(peers, home, path, body);
    peers.unknown.answered(write);
    return answer;
  } catch (error) {
    throw peers.unknown.named(error, write);
  }
}

async function sendWrite<T>(peers: Peers, home: string, path: string, body: (deadline: Deadline) => object): Promise<T> {
  const peer = peers.find(home);
  const deadline = peer?.deadlineIn(limits.writeBudgetMs);
  if (peer === undefined || deadline === undefined) throw new HomeUnavailableError(home);
  const outcome = await peer.call<T>('write', path, body(deadline), limits.writeBudgetMs);
  if (outcome.kind === 'not-sent') throw new HomeUnavailableError(home);
  if (outcome.kind === 'unknown') throw new OutcomeUnknownError(home);
  if (outcome.status < 300) return outcome.body;
  const refusal = fromProblem(outcome.status, outcome.body);
  // A part of the home is gone: to this client that is the home which can not do it now.
  if (refusal instanceof UnavailableError) throw new HomeUnavailableError(home);
  throw refusal ?? new OutcomeUnknownError(home);
}
