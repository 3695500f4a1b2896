import { describe, expect, it } from 'vitest';
import { Arrivals } from '#features/consistency';

const NEVER_MS = 2_000_000_000;

describe('who waits for a row', () => {
  it('is woken when it arrives, and others are not', async () => {
    const arrivals = new Arrivals();
    let other = false;
    const mine = arrivals.next('profile:a', NEVER_MS);
    const theirs = arrivals.next('profile:b', 1).then(() => (other = true));
    arrivals.arrived('profile:a');
    await mine;
    expect(other).toBe(false);
    await theirs;
  });

  it('is woken when notifications may have been missed, and at the latest after its time', async () => {
    const arrivals = new Arrivals();
    const both = [arrivals.next('profile:a', NEVER_MS), arrivals.next('password:b', NEVER_MS)];
    arrivals.arrived(undefined);
    await Promise.all(both);
    await arrivals.next('profile:a', 1);
  });
});
