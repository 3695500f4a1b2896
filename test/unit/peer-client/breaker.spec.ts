import { describe, expect, it } from 'vitest';
import { Breaker } from '#adapters/peer-client';

describe('a breaker', () => {
  it('opens after three failures in a row, not after three with a success among them', () => {
    const breaker = new Breaker(3);
    breaker.failed(1);
    breaker.failed(2);
    breaker.succeeded();
    breaker.failed(3);
    breaker.failed(4);
    expect(breaker.open).toBe(false);
    breaker.failed(5);
    expect(breaker.open).toBe(true);
  });

  it('is closed by a heartbeat that was sent after it opened, and by no other', () => {
    const breaker = new Breaker(1);
    breaker.failed(10);
    breaker.probed(9);
    breaker.probed(10);
    expect(breaker.open).toBe(true);
    breaker.probed(11);
    expect(breaker.open).toBe(false);
  });

  it('keeps the time of its opening while calls that were under way go on failing', () => {
    const breaker = new Breaker(1);
    breaker.failed(10);
    breaker.failed(20);
    breaker.probed(15);
    expect(breaker.open).toBe(false);
  });
});
