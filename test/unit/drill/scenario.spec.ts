import { describe, expect, it } from 'vitest';
import { readArguments } from '../../faults/drill/arguments.js';
import { mayMeet, randomScenario } from '../../faults/drill/random-scenario.js';
import { type Fault, faultsEndS, occurrences, parseScenario, readScenario, scenarioNames } from '../../faults/drill/scenario.js';

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);
const text = (change: object): string => JSON.stringify({
  name: 'x', about: 'y', controlS: 1, healedS: 1, faults: [], traffic: { usersPerRegion: 2, perSecond: 1 }, promises: { caughtUpWithinS: 1, untouchedLatency: false }, ...change,
});
const cut = { fault: 'cut', between: ['east', 'west'], mode: 'hold', atS: 1, forS: 2 };

describe('scenario files', () => {
  it('are all well-formed, and named as their file', () => {
    expect(scenarioNames()).toEqual(expect.arrayContaining(['link-cut', 'one-way-cut', 'region-kill', 'broker-freeze', 'clock-skew']));
    for (const name of scenarioNames()) expect(readScenario(name)).toMatchObject({ name });
  });

  it.each([
    ['a region that the scenario has not', { faults: [{ fault: 'kill', region: 'south', part: 'api', atS: 0, forS: 1 }] }, /faults\.0: names south/],
    ['a direction that is none', { faults: [{ ...cut, direction: 'east-to-north' }] }, /direction/],
    ['a fault that comes again before it has gone', { faults: [{ ...cut, repeat: { times: 2, everyS: 2 } }] }, /repeat/],
    ['a control phase that is too short for its promise', { controlS: 30, promises: { caughtUpWithinS: 1, untouchedLatency: true } }, /controlS: is over/],
    ['a member that is not known', { speed: 1 }, /speed/],
    ['a kind of cut that is none', { faults: [{ ...cut, mode: 'softly' }] }, /mode/],
  ])('are refused with %s', (_, change, why) => {
    expect(() => parseScenario(text(change), 'x.json')).toThrow(why);
  });

  it('repeat a fault at its interval', () => {
    const { faults } = parseScenario(text({ faults: [{ ...cut, repeat: { times: 3, everyS: 5 } }] }), 'x.json');
    expect(occurrences(faults).map(({ atS }) => atS)).toEqual([1, 6, 11]);
    expect(faultsEndS(faults)).toBe(13);
  });

  it('that do not exist are named with those that do', () => {
    expect(() => readScenario('nothing')).toThrow(/link-cut/);
  });
});

describe('a random schedule', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(randomScenario(7, 3)).toEqual(randomScenario(7, 3));
    expect(randomScenario(7, 3).faults).not.toEqual(randomScenario(8, 3).faults);
  });

  it.each([[['east', 'west']], [['east', 'west', 'north']]])('in %s has faults, and every bound holds, whatever the seed', (regions) => {
    for (const seed of SEEDS) {
      const scenario = parseScenario(JSON.stringify(randomScenario(seed, 1, regions)), `seed ${seed}`);
      const { faults, controlS, healedS } = scenario;
      expect(faults.length, `seed ${seed}`).toBeGreaterThan(0);
      expect(healedS, `seed ${seed}`).toBeGreaterThanOrEqual(9);
      expect(controlS + faultsEndS(faults) + healedS, `seed ${seed}`).toBeLessThanOrEqual(61);
      for (const one of faults) {
        const together = faults.filter((other) => other !== one && other.atS < one.atS + one.forS && one.atS < other.atS + other.forS);
        expect(together.length, `seed ${seed}`).toBeLessThanOrEqual(1);
        for (const other of together) expect(mayMeet(one, other), `seed ${seed}`).toBe(true);
      }
    }
  });

  it('never loses the memory of two regions, or one thing twice, at once', () => {
    const kill = (region: string, part: 'redis' | 'all' | 'postgres' | 'kafka'): Fault => ({ fault: 'kill', region, part, atS: 0, forS: 1 });
    expect(mayMeet(kill('east', 'redis'), kill('west', 'redis'))).toBe(false);
    expect(mayMeet(kill('east', 'all'), kill('west', 'redis'))).toBe(false);
    expect(mayMeet(kill('east', 'all'), kill('west', 'all'))).toBe(false);
    expect(mayMeet(kill('east', 'all'), kill('east', 'kafka'))).toBe(false);
    expect(mayMeet(kill('east', 'postgres'), kill('west', 'kafka'))).toBe(true);
    expect(mayMeet({ ...cut, fault: 'cut', mode: 'hold', between: ['east', 'west'], direction: 'both' }, { fault: 'slow', between: ['west', 'east'], latencyMs: 1, jitterMs: 0, lossPercent: 0, atS: 0, forS: 1 })).toBe(false);
  });
});

describe('the arguments of a drill', () => {
  it('name a scenario or ask for a random one', () => {
    expect(readArguments(['link-cut'], 5)).toMatchObject({ scenario: { name: 'link-cut' }, seed: 5 });
    expect(readArguments(['--random', '--seed', '9', '--minutes', '1', '--out', '/tmp/x'], 5)).toMatchObject({ scenario: { name: 'random-9' }, seed: 9, out: '/tmp/x' });
  });

  it.each([[[]], [['link-cut', '--random']], [['a', 'b']], [['--fast']], [['link-cut', '--seed', '-1']], [['link-cut', '--seed']]])('are refused where they are %j', (argv) => {
    expect(() => readArguments(argv, 5)).toThrow();
  });
});
