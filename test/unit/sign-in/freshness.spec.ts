import { describe, expect, it } from 'vitest';
import { type ChannelView, isFresh } from '#features/sign-in';
import type { Heartbeat } from '#kernel/wire';

function view(ages: { accounts: number; database: number }, heads: number[], applied: number[]): ChannelView {
  const heartbeat = { heads: { accounts: [0, 0, 0, 0], epochs: heads } } as unknown as Heartbeat;
  return { newest: (_, channel) => ({ heartbeat, ageMs: ages[channel] }), applied: () => applied };
}

describe('what is known here of a home', () => {
  const none = [0, 0, 0, 0];

  it('is fresh while both its heartbeats are younger than a second and its epochs are applied', () => {
    expect(isFresh(view({ accounts: 999, database: 999 }, [1, 0, 0, 2], [1, 0, 0, 2]), 'east')).toBe(true);
  });

  it.each([
    ['the Kafka heartbeat is a second old', view({ accounts: 1_000, database: 1 }, none, none)],
    ['the database heartbeat is a second old', view({ accounts: 1, database: 1_000 }, none, none)],
    ['an epoch that was numbered by then is not applied here', view({ accounts: 1, database: 1 }, [0, 3, 0, 0], [0, 2, 0, 0])],
    ['nothing was ever heard', { newest: () => undefined, applied: () => none }],
  ])('is not fresh when %s', (_, channels) => {
    expect(isFresh(channels, 'east')).toBe(false);
  });
});
