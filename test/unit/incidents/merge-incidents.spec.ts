import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IncidentRow, findIncident, mergeIncidents } from '#features/incidents';
import { backlogArrived } from '../../../libs/features/incidents/arrived.js';

const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1) + second * 1_000);
const row = (id: string, region: string, peer: string, opened: number, closed: number | null, counts: Record<string, number> = {}): IncidentRow =>
  ({ id, region, peer, openedAt: at(opened), reachableAt: closed === null ? null : at(closed - 1), closedAt: closed === null ? null : at(closed), peerOpenedAt: null, peerReachableAt: null, peerClosedAt: null, counts });
const shifted = (date: Date | null, seconds: number): Date | null => date && new Date(date.getTime() + seconds * 1_000);
/** The same row where the peer's clock was ahead by so much, when it opened and from when it was reachable. */
const ahead = (given: IncidentRow, seconds: number, afterwards = seconds): IncidentRow =>
  ({ ...given, peerOpenedAt: shifted(given.openedAt, seconds), peerReachableAt: shifted(given.reachableAt, afterwards), peerClosedAt: shifted(given.closedAt, afterwards) });

describe('incidents', () => {
  it('of the two sides of one cut are one, named by each of their ids, and the smallest is shown', () => {
    const merged = mergeIncidents([row('b', 'west', 'east', 101, 160, { registrationsRefused: 2 }), row('a', 'east', 'west', 100, 150, { registrationsRefused: 1, signInsRefused: 1 })]);
    expect(merged).toMatchObject([{ id: 'a', ids: ['a', 'b'], between: ['east', 'west'], openedAt: at(100), reachableAt: at(159), closedAt: at(160), counts: { registrationsRefused: 3, signInsRefused: 1 } }]);
    expect(findIncident(merged, 'b')).toBe(merged[0]);
    expect(findIncident(merged, 'c')).toBe(undefined);
  });

  it('are over only when they are over on both sides', () => {
    expect(mergeIncidents([row('a', 'east', 'west', 100, 150), row('b', 'west', 'east', 101, null)])).toMatchObject([{ closedAt: null, reachableAt: null }]);
  });

  const HOUR = 3_600;
  it.each([
    ['ahead', row('b', 'west', 'east', HOUR + 101, HOUR + 160), -HOUR, -HOUR],
    ['behind', row('b', 'west', 'east', 101 - HOUR, 160 - HOUR), HOUR, HOUR],
    ['put back by an hour meanwhile', row('b', 'west', 'east', 101, 160 - HOUR), 0, HOUR],
  ])('of one cut are one where a clock was an hour %s, at the times of the first region, and others stay apart', (_, theirs, before, afterwards) => {
    const west = ahead(theirs, before, afterwards);
    const east = ahead(row('a', 'east', 'west', 100, 150), -before, -afterwards);
    expect(mergeIncidents([east, west])).toMatchObject([{ ids: ['a', 'b'], openedAt: at(100), reachableAt: at(159), closedAt: at(160) }]);
    expect(mergeIncidents([row('c', 'east', 'west', 170, 180), west])).toHaveLength(2);
  });

  it('of other times, or of other regions, are others', () => {
    expect(mergeIncidents([row('a', 'east', 'west', 100, 150), row('b', 'west', 'east', 200, 250)]).map(({ ids }) => ids)).toEqual([['b'], ['a']]);
    expect(mergeIncidents([row('a', 'east', 'west', 100, 150), row('b', 'east', 'north', 100, 150)])).toHaveLength(2);
  });

  it('that touch are one: what flaps is told once', () => {
    expect(mergeIncidents([row('a', 'east', 'west', 100, 110), row('b', 'west', 'east', 111, 125), row('c', 'east', 'west', 127, null)])).toMatchObject([{ ids: ['a', 'b', 'c'], closedAt: null }]);
    // An earlier one that lasts longer than a later one still joins what comes after both.
    expect(mergeIncidents([row('a', 'east', 'west', 100, 300), row('b', 'west', 'east', 101, 120), row('c', 'west', 'east', 290, 310)])).toHaveLength(1);
  });

  it('that a clock which jumped back has end before they began do not swallow what comes after them', () => {
    const merged = mergeIncidents([row('a', 'east', 'west', 90_000, 110), row('b', 'east', 'west', 200, null)]);
    expect(merged).toMatchObject([{ ids: ['b'], openedAt: at(200), closedAt: null }, { ids: ['a'], closedAt: at(110) }]);
  });

  it('that were closed by a clock which was ahead do not swallow what comes before that time', () => {
    const merged = mergeIncidents([row('a', 'east', 'west', 100, 90_000), row('b', 'west', 'east', 101, 120), row('c', 'east', 'west', 200, 220), row('d', 'west', 'east', 201, null)]);
    expect(merged).toMatchObject([{ ids: ['c', 'd'], openedAt: at(200), closedAt: null }, { ids: ['a', 'b'], openedAt: at(100) }]);
  });

  it('are the same whatever the order of their rows', () => {
    const rows = fc.uniqueArray(fc.record({ id: fc.uuid(), sides: fc.constantFrom(['east', 'west'], ['west', 'east'], ['east', 'north']), opened: fc.nat(500), lasts: fc.option(fc.nat(100)) }), { selector: ({ id }) => id });
    fc.assert(fc.property(rows, fc.nat(), (given, turn) => {
      const all = given.map(({ id, sides, opened, lasts }) => row(id, sides[0]!, sides[1]!, opened, lasts === null ? null : opened + lasts));
      const turned = [...all.slice(turn % (all.length || 1)), ...all.slice(0, turn % (all.length || 1))].toReversed();
      const seen = (incidents: ReturnType<typeof mergeIncidents>) => incidents.map(({ id, ids, closedAt }) => ({ id, ids, closedAt }));
      expect(seen(mergeIncidents(turned))).toEqual(seen(mergeIncidents(all)));
      expect(mergeIncidents(all).flatMap(({ ids }) => ids).sort()).toEqual(all.map(({ id }) => id).sort());
    }));
  });
});

describe('a backlog', () => {
  const positions = (accounts: number[], epochs: number[], orders: number[]) => ({ accounts, epochs, orders });
  it('has arrived when both sides have applied all that was written', () => {
    const backlog = { own: positions([3, 0], [1, 0], [0, 7]), peers: positions([0, 2], [0, 0], [4, 0]) };
    const byPeer = positions([3, 0], [1, 0], [0, 9]);
    const here = positions([5, 2], [0, 0], [4, 0]);
    expect(backlogArrived(backlog, { byPeer, here })).toBe(true);
    expect(backlogArrived(backlog, { byPeer: positions([3, 0], [1, 0], [0, 6]), here })).toBe(false);
    expect(backlogArrived(backlog, { byPeer, here: positions([5, 1], [0, 0], [4, 0]) })).toBe(false);
  });
});
