import { Pause } from '#kernel/clock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Whether it is over by now, without any time passing. */
async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false;
  void waiting.then(() => (over = true));
  await vi.advanceTimersByTimeAsync(0);
  return over;
}

describe('a pause', () => {
  it('lasts as long as was asked', async () => {
    const waiting = new Pause().wait(100);
    await vi.advanceTimersByTimeAsync(99);
    expect(await isOver(waiting)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver(waiting)).toBe(true);
  });

  it('ends early when it is woken, and leaves no timer', async () => {
    const pause = new Pause();
    const waiting = pause.wait(100);
    pause.wake();
    expect(await isOver(waiting)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not begin where it was woken since the last one, however often, and the next one does', async () => {
    const pause = new Pause();
    for (let times = 0; times < 3; times += 1) pause.wake();
    expect(await isOver(pause.wait(100))).toBe(true);
    expect(await isOver(pause.wait(100))).toBe(false);
    pause.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(await isOver(pause.wait(100))).toBe(false);
  });
});
