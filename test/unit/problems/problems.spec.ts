import * as problems from '#kernel/problems';
import { describe, expect, it } from 'vitest';

const { fromProblem, toProblem } = problems;

const all: [problems.ProblemError, string, number][] = [
  [new problems.InvalidRequestError([{ path: 'profile.bio', message: 'is too long' }]), 'invalid-request', 400],
  [new problems.InvalidIdentifierError('is malformed'), 'invalid-request', 400],
  [new problems.IdempotencyKeyRequiredError(), 'idempotency-key-required', 400],
  [new problems.InvalidCredentialsError(), 'invalid-credentials', 401],
  [new problems.SessionInvalidError(), 'session-invalid', 401],
  [new problems.SessionOriginUnavailableError('west'), 'session-origin-unavailable', 401],
  [new problems.PeerRefusedError(), 'peer-refused', 403],
  [new problems.NotFoundError(), 'not-found', 404],
  [new problems.IdentifierTakenError(), 'identifier-taken', 409],
  [new problems.IdempotencyKeyReusedError(), 'idempotency-key-reused', 409],
  [new problems.PreconditionFailedError(), 'precondition-failed', 412],
  [new problems.BodyTooLargeError(), 'body-too-large', 413],
  [new problems.UnsupportedMediaTypeError(), 'unsupported-media-type', 415],
  [new problems.WeakPasswordError('The password is one of the commonest'), 'weak-password', 422],
  [new problems.TooManyAttemptsError(12.3), 'too-many-attempts', 429],
  [new problems.HomeUnavailableError('west'), 'home-unavailable', 503],
  [new problems.OutcomeUnknownError('west'), 'outcome-unknown', 503],
  [new problems.UnavailableError('redis'), 'unavailable', 503],
  [new problems.PayeeUnknownError(), 'payee-unknown', 404],
  [new problems.TransferFinalError(), 'transfer-final', 409],
  [new problems.InsufficientFundsError(), 'insufficient-funds', 422],
  [new problems.CapReachedError('no more than 5'), 'cap-reached', 422],
  [new problems.OverloadedError(), 'overloaded', 503],
];

describe('a problem', () => {
  it.each(all)('%s has its slug and status, and comes back from a peer as what it was', (error, slug, status) => {
    const answer = toProblem(error, 'request-1');
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(Object.keys(answer.body).slice(0, 5)).toEqual(['type', 'title', 'status', 'detail', 'instance']);
    expect(answer.body).toMatchObject({ type: `urn:homeward:problem:${slug}`, status, instance: 'request-1' });
    const seconds = answer.headers['retry-after'];
    expect(seconds !== undefined).toBe(status === 503 || status === 429);
    const rebuilt = fromProblem(status, JSON.parse(JSON.stringify(answer.body)), seconds === undefined ? undefined : Number(seconds));
    expect(rebuilt).toBeInstanceOf(error instanceof problems.InvalidRequestError ? problems.InvalidRequestError : error.constructor);
    expect(toProblem(rebuilt, 'request-1')).toEqual(answer);
  });

  it('has the members that the contract names', () => {
    expect(toProblem(new problems.SessionOriginUnavailableError('west'), 'i').body).toMatchObject({ origin: 'west', regenerate: true });
    expect(toProblem(new problems.HomeUnavailableError('west'), 'i').body).toMatchObject({ home: 'west' });
    expect(toProblem(new problems.OutcomeUnknownError('west'), 'i').body).toMatchObject({ home: 'west' });
    expect(toProblem(new problems.UnavailableError('redis'), 'i').body).toMatchObject({ part: 'redis' });
    expect(toProblem(new problems.InvalidIdentifierError('is malformed'), 'i').body).toMatchObject({ errors: [{ path: 'identifier', message: 'is malformed' }] });
    expect(toProblem(new problems.TooManyAttemptsError(12.3), 'i').headers['retry-after']).toBe('13');
    expect(toProblem(new problems.SessionInvalidError(), 'i').headers['www-authenticate']).toBe('Bearer');
  });

  it('of our own making says nothing of its cause', () => {
    const { body, status } = toProblem(new Error('relation "password" does not exist'), 'i');
    expect([status, body.type]).toEqual([500, 'urn:homeward:problem:internal']);
    expect(JSON.stringify(body)).not.toContain('password');
  });

  it('from a peer that is none of ours is not taken for a decision', () => {
    const type = 'urn:homeward:problem:home-unavailable';
    for (const body of [undefined, null, 'text', {}, { type: 'about:blank' }, { type }, { type, home: 7 }, { type: 'urn:homeward:problem:constructor' }, { type: 'urn:homeward:problem:internal' }]) {
      expect(fromProblem(503, body)).toBeUndefined();
    }
    expect(fromProblem(502, { type, home: 'west' })).toBeUndefined();
    expect(fromProblem(400, { type: 'urn:homeward:problem:invalid-request', errors: [null] })).toBeUndefined();
  });
});
