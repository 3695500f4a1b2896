import { describe, expect, it } from 'vitest';
import { partsNeeded } from '../../faults/drill/needs.js';
import { recoveryFrom } from '../../faults/drill/recovery.js';
import { Timeline, everythingOf } from '../../faults/drill/timeline.js';
import { CUT, LAPTOP, PHONE, REFUSED, applied, operation } from './sound.js';

const LINK = 'link:east/west';
const KILL = applied({ fault: 'kill', region: 'west', part: 'redis', atS: 0, forS: 5 }, 60_000, 65_000);
const timeline = new Timeline([CUT, KILL]);
const registered = new Map([['ana', [{ startMs: 0, endMs: 10 }]]]);
const needs = (...[what, writes = registered, writtenIn]: [Parameters<typeof partsNeeded>[0], typeof registered?, string[]?]): string[] => partsNeeded(what, writes, timeline, writtenIn);

describe('what an operation needs', () => {
  it('is the link and the home for a registration elsewhere, and neither at home', () => {
    expect(needs(operation('register', 30_000, { region: 'west', key: 'k', password: 'p' }))).toEqual(expect.arrayContaining([LINK, 'east/api', 'east/postgres']));
    expect(needs(operation('register', 30_000, { key: 'k', password: 'p' }))).toEqual(['east/api', 'east/postgres']);
  });

  it('is the home for a sign-in elsewhere only where it may not be known there yet', () => {
    const signIn = operation('sign-in', 30_000, { region: 'west', password: 'p' });
    expect(needs(signIn)).not.toContain(LINK);
    expect(needs(signIn, new Map([['ana', [{ startMs: 29_000, endMs: 29_010 }]]])), 'just registered').toContain(LINK);
    expect(needs(signIn, new Map([['ana', [{ startMs: 19_000, endMs: 19_010 }]]])), 'registered right before the cut').toContain(LINK);
    expect(needs(signIn, new Map([['ana', [{ startMs: 0, endMs: 10 }, { startMs: 31_000, endMs: 31_010 }]]])), 'changed later').not.toContain(LINK);
  });

  it('is the origin of a session, and where its client wrote', () => {
    expect(needs(operation('check', 30_000, { ...LAPTOP }))).toEqual(expect.arrayContaining([LINK, 'west/redis']));
    expect(needs(operation('check', 30_000, { ...PHONE }))).not.toContain(LINK);
    for (const kind of ['check', 'edit-profile', 'transfer', 'read-wallet', 'change-password'] as const) {
      expect(needs(operation(kind, 30_000, { ...PHONE } as never)), kind).not.toContain(LINK);
      expect(needs(operation(kind, 30_000, { ...PHONE } as never), registered, ['west']), kind).toContain(LINK);
    }
  });

  it('is never Kafka, and for a sign-out no Redis', () => {
    for (const kind of ['check', 'read-profile', 'change-password', 'sign-out', 'transfer'] as const) {
      expect(needs(operation(kind, 30_000, { ...LAPTOP } as never)).filter((part) => part.endsWith('/kafka'))).toEqual([]);
    }
    expect(needs(operation('sign-out', 30_000, { ...PHONE }))).toEqual(['east/api', 'east/postgres']);
  });
});

describe('the timeline', () => {
  it('tells how long parts have worked, and which faults touched them', () => {
    expect(timeline.quietMs([LINK], 10_000)).toBe(Number.POSITIVE_INFINITY);
    expect(timeline.quietMs([LINK], 30_000)).toBe(0);
    expect(timeline.quietMs(everythingOf('east', 'west'), 66_000)).toBe(1_000);
    expect(timeline.quietMs([LINK], 66_000)).toBe(26_000);
    expect(timeline.of(['west/redis'], 0, 59_999)).toEqual([]);
    expect(timeline.of(['west/redis'], 64_000, 90_000)).toEqual([KILL]);
  });
});

describe('recovery', () => {
  it('is told for what failed while it needed what was at fault, from the end of the fault to the first that worked', () => {
    const elsewhere = { region: 'west', key: 'k', password: 'p' };
    const operations = [
      operation('register', 30_000, { ...elsewhere, ...REFUSED }), operation('register', 39_000, { key: 'k2', password: 'p' }), operation('register', 40_500, { key: 'k3', password: 'p' }),
      operation('register', 41_000, elsewhere), operation('check', 30_000, { ...LAPTOP, ...REFUSED }), operation('check', 35_000, { ...PHONE }),
    ];
    expect(recoveryFrom(CUT, operations, [CUT]).worksAgainMs).toEqual({ register: 1_010, check: null });
  });
});
