import { describe, expect, it } from 'vitest';
import { judgeAnswer } from '../../faults/drill/outcome.js';
import type { Answer } from '../../regions/harness/call.js';

function problem(status: number, slug: string, more: object = {}, headers: Record<string, string> = {}): Answer {
  const body = { type: `urn:homeward:problem:${slug}`, title: 't', status, detail: 'd', instance: 'id', ...more };
  return { status, body, text: JSON.stringify(body), ms: 1, headers: { 'content-type': 'application/problem+json', 'x-request-id': 'id', 'homeward-region': 'east', 'retry-after': '1', ...headers } };
}

describe('an answer', () => {
  it('that came is done, certainly not done, or not known', () => {
    expect(judgeAnswer('register', 'east', { status: 201, body: {}, text: '{}', ms: 1, headers: { 'homeward-region': 'east', 'homeward-read': 'second' } })).toEqual({ outcome: 'ok', status: 201, read: 'second' });
    expect(judgeAnswer('register', 'east', problem(503, 'home-unavailable', { home: 'west' }))).toEqual({ outcome: 'refused', status: 503, problem: 'home-unavailable' });
    expect(judgeAnswer('register', 'east', problem(503, 'outcome-unknown', { home: 'west' }))).toEqual({ outcome: 'unknown', status: 503, problem: 'outcome-unknown' });
    expect(judgeAnswer('register', 'east', problem(503, 'unavailable', { part: 'postgres' })).outcome).toBe('unknown');
  });

  it('that did not come is not known', () => {
    expect(judgeAnswer('register', 'east', undefined)).toEqual({ outcome: 'unknown' });
  });

  it.each([
    ['has no type', { ...problem(500, 'x'), body: { error: 'oops' } }],
    ['is of another region', { ...problem(201, 'x'), status: 201, headers: { 'homeward-region': 'west' } }],
    ['has a type that the contract does not list', problem(500, 'internal')],
    ['has the status of another type', problem(500, 'home-unavailable', { home: 'west' })],
    ['is not among those of the call', problem(422, 'insufficient-funds')],
    ['is not problem+json', problem(503, 'overloaded', {}, { 'content-type': 'application/json' })],
    ['has no title', problem(503, 'overloaded', { title: undefined })],
    ['names another request', problem(503, 'overloaded', { instance: 'other' })],
    ['does not say when to try again', problem(503, 'overloaded', {}, { 'retry-after': '' })],
    ['does not name the home', problem(503, 'home-unavailable')],
  ])('is malformed where it %s', (_, answer) => {
    expect(judgeAnswer('register', 'east', answer as Answer).malformed).toBeTypeOf('string');
  });
});
