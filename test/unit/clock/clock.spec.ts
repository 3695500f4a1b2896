import { ClockMap, type HeartbeatSample, nextStamp, stampToIso, SystemClock } from '#kernel/clock';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';

describe('the system clock', () => {
  it('shifts the wall clock by its offset and never the monotonic one', async () => {
    const clock = new SystemClock();
    const before = clock.monoMs();
    clock.offsetMs = -3_600_000;
    expect(clock.wallMs() - Date.now()).toBeLessThan(-3_599_000);
    await vi.waitFor(() => expect(clock.monoMs()).toBeGreaterThan(before));
    expect(clock.monoMs() - before).toBeLessThan(10_000);
    expect(new SystemClock().bootId).not.toBe(clock.bootId);
  });
});

describe('a stamp', () => {
  it('follows the clock, and what was seen where that is ahead', () => {
    expect(nextStamp(1_000.5, undefined)).toBe(1_000_500);
    expect(nextStamp(1_000, 5)).toBe(1_000_000);
    expect(nextStamp(1_000, 2_000_000)).toBe(2_000_001);
    expect(stampToIso(1_795_000_000_123_456)).toBe(new Date(1_795_000_000_123).toISOString());
  });

  it('is a safe integer above what was seen, or refused', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 4e12, noNaN: true }), fc.option(fc.maxSafeNat(), { nil: undefined }), (wallMs, seen) => {
        fc.pre(seen !== Number.MAX_SAFE_INTEGER);
        const stamp = nextStamp(wallMs, seen);
        expect(Number.isSafeInteger(stamp)).toBe(true);
        expect(stamp).toBeGreaterThan(seen ?? -1);
      }),
    );
    expect(() => nextStamp(0, Number.MAX_SAFE_INTEGER)).toThrow(RangeError);
  });
});

describe('what is known of a peer’s clocks', () => {
  const sample = (over: Partial<HeartbeatSample>): HeartbeatSample => ({
    peerBoot: 'a', peerMonoMs: 500, peerWallMs: 0, sentAtMonoMs: 1000, receivedAtMonoMs: 1010, receivedAtWallMs: 0, ...over,
  });

  it('is nothing before the first heartbeat', () => {
    const map = new ClockMap();
    expect([map.peerMonoAt(1), map.ageOf('a', 1, 1), map.skewMs(), map.peerWallAt(1)]).toEqual([undefined, undefined, undefined, undefined]);
  });

  it('gives a deadline clock that is never ahead of the peer’s, and ages within half the round trip', () => {
    const run = fc.record({
      peerAheadMs: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      trips: fc.array(fc.record({ there: fc.double({ min: 0, max: 200, noNaN: true }), back: fc.double({ min: 0, max: 200, noNaN: true }) }), { minLength: 1, maxLength: 50 }),
      laterMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
    });
    fc.assert(
      fc.property(run, ({ peerAheadMs, trips, laterMs }) => {
        const map = new ClockMap();
        let now = 2e6;
        for (const { there, back } of trips) {
          const sentAtMonoMs = now;
          const peerMonoMs = now + there + peerAheadMs;
          now += there + back;
          map.record(sample({ peerMonoMs, sentAtMonoMs, receivedAtMonoMs: now }));
          now += 250;
        }
        now += laterMs;
        const leastTrip = Math.min(...trips.slice(-32).map(({ there, back }) => there + back));
        expect(map.peerMonoAt(now)!).toBeLessThanOrEqual(now + peerAheadMs + 1e-6);
        const stampedAgo = 300;
        const age = map.ageOf('a', now + peerAheadMs - stampedAgo, now)!;
        expect(Math.abs(age - stampedAgo)).toBeLessThanOrEqual(leastTrip / 2 + 1e-6);
      }),
    );
  });

  it('never gives a negative age, nor any for another boot', () => {
    const map = new ClockMap();
    map.record(sample({}));
    expect(map.ageOf('a', 10_000, 1010)).toBe(0);
    expect(map.ageOf('b', 500, 1010)).toBeUndefined();
    map.record(sample({ peerBoot: 'b', peerMonoMs: 3, sentAtMonoMs: 2000, receivedAtMonoMs: 2100 }));
    expect(map.ageOf('a', 500, 2200)).toBeUndefined();
    expect(map.ageOf('b', 3, 2200)).toBe(150);
    expect(map.peerMonoAt(2200)).toBe(103);
  });

  it('ignores an answer older than the newest', () => {
    const map = new ClockMap();
    map.record(sample({ peerBoot: 'b', receivedAtMonoMs: 2000 }));
    map.record(sample({ peerBoot: 'a', receivedAtMonoMs: 1500 }));
    expect(map.ageOf('a', 500, 2000)).toBeUndefined();
    expect(map.ageOf('b', 500, 2000)).toBeDefined();
  });

  it('reports how far the wall clocks are apart', () => {
    const map = new ClockMap();
    map.record(sample({ sentAtMonoMs: 0, receivedAtMonoMs: 40, receivedAtWallMs: 1_000_040, peerWallMs: 997_020 }));
    expect(map.skewMs()).toBe(-3000);
  });

  it('tells what the peer’s wall clock shows from the time that has passed, whatever our own wall clock shows', () => {
    const map = new ClockMap();
    map.record(sample({ sentAtMonoMs: 0, receivedAtMonoMs: 40, receivedAtWallMs: -1, peerWallMs: 997_020 }));
    expect(map.peerWallAt(20)).toBe(997_020);
    expect(map.peerWallAt(3_020)).toBe(1_000_020);
  });
});
