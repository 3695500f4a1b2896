import { describe, expect, it } from 'vitest';
import { CatchUp } from '../../../libs/features/sessions/catch-up.js';

function setUp() {
  const clock = { nowMs: 10_000, monoMs: () => clock.nowMs };
  return { clock, catchUp: new CatchUp(clock) };
}

describe('Redis is believed only while it is known to have every ending', () => {
  it('nothing is known before the first pass', () => {
    expect(setUp().catchUp.stale).toBe(true);
  });

  it('a pass that left nothing is good for a second from its beginning', () => {
    const { clock, catchUp } = setUp();
    clock.nowMs += 600;
    catchUp.passed(10_000, undefined);
    expect(catchUp.stale).toBe(false);
    clock.nowMs = 11_001;
    expect(catchUp.stale).toBe(true);
  });

  it('a row that stays older than a second makes checks compare, however often passes run', () => {
    const { clock, catchUp } = setUp();
    catchUp.passed(10_000, 900);
    expect(catchUp.stale).toBe(false);
    clock.nowMs += 150;
    expect(catchUp.stale).toBe(true);
    catchUp.passed(clock.nowMs, 1_050);
    expect(catchUp.stale).toBe(true);
  });

  it('a process that was frozen during a pass knows nothing', () => {
    const { clock, catchUp } = setUp();
    const startedMs = clock.nowMs;
    clock.nowMs += 30_000;
    catchUp.passed(startedMs, undefined);
    expect(catchUp.stale).toBe(true);
  });

  it('an ending that could not be applied at once is made good only by a pass that began later and left nothing', () => {
    const { clock, catchUp } = setUp();
    const earlierMs = clock.nowMs;
    clock.nowMs += 10;
    catchUp.fellBehind();
    catchUp.passed(earlierMs, undefined);
    expect(catchUp.stale).toBe(true);
    clock.nowMs += 10;
    catchUp.passed(clock.nowMs, 5);
    expect(catchUp.stale).toBe(true);
    catchUp.passed(clock.nowMs, undefined);
    expect(catchUp.stale).toBe(false);
  });

  it('who waits is told by the first later pass that left nothing, or by the limit', async () => {
    const { clock, catchUp } = setUp();
    const caughtUp = catchUp.caughtUp(1_000);
    catchUp.passed(clock.nowMs - 1, undefined);
    clock.nowMs += 1;
    catchUp.passed(clock.nowMs, undefined);
    expect(await caughtUp).toBe(true);
    expect(await catchUp.caughtUp(5)).toBe(false);
  });
});
