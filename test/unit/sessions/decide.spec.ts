import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sessionStillGood } from '../../../libs/features/sessions/decide.js';

const session = { epoch: 3, counters: { east: 2, west: 0 }, hashB64: 'mine' };
const known = { epoch: 3, counters: { east: 2 }, ended: false };

describe('a session', () => {
  it('is good under the epoch and counters that it was made with', () => {
    expect(sessionStillGood(session, known)).toBe(true);
    expect(sessionStillGood(session, { ...known, epoch: 2 })).toBe(true);
    expect(sessionStillGood(session, { epoch: 0, counters: {}, ended: false })).toBe(true);
  });

  it('ends when it was signed out', () => {
    expect(sessionStillGood(session, { ...known, ended: true, keep: 'mine' })).toBe(false);
  });

  it('ends by a newer epoch, unless it asked for it', () => {
    expect(sessionStillGood(session, { ...known, epoch: 4 })).toBe(false);
    expect(sessionStillGood(session, { ...known, epoch: 4, keep: 'another' })).toBe(false);
    expect(sessionStillGood(session, { ...known, epoch: 4, keep: 'mine' })).toBe(true);
  });

  it('ends by any region’s counter higher than it knew, also of a region it never heard of', () => {
    expect(sessionStillGood(session, { ...known, counters: { east: 3 } })).toBe(false);
    expect(sessionStillGood(session, { ...known, counters: { west: 1 } })).toBe(false);
    expect(sessionStillGood(session, { ...known, counters: { constructor: 1 } })).toBe(false);
    expect(sessionStillGood(session, { ...known, epoch: 4, keep: 'mine', counters: { north: 1 } })).toBe(false);
  });

  it('that has ended stays ended, however much more becomes known', () => {
    const counters = fc.dictionary(fc.constantFrom('east', 'west', 'north'), fc.nat(4), { noNullPrototype: true });
    fc.assert(
      fc.property(counters, counters, counters, fc.nat(4), fc.nat(4), fc.nat(4), (mine, now, more, epoch, knownEpoch, later) => {
        const subject = { epoch, counters: mine, hashB64: 'mine' };
        if (sessionStillGood(subject, { epoch: knownEpoch, counters: now, ended: false })) return;
        const grown = Object.fromEntries(['east', 'west', 'north'].map((region) => [region, (now[region] ?? 0) + (more[region] ?? 0)]));
        expect(sessionStillGood(subject, { epoch: knownEpoch + later, counters: grown, ended: false })).toBe(false);
      }),
    );
  });
});
