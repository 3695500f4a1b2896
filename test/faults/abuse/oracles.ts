import { randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../../regions/harness/index.js';
import { looks, untilKnownEverywhere } from '../../regions/situations.js';
import { Seeded } from '../drill/seeded.js';
import { Flood, addressOf, signInFrom, usersOf } from './attackers.js';
import { differenceOf } from './distributions.js';
import { world } from './world.js';

const [EAST, WEST] = ['east', 'west'] as const;
const SEED = randomInt(2 ** 31);
/** Identifiers of each kind in a comparison, and how often each is tried: less often than an identifier that is attacked is slowed. */
const IDENTIFIERS = 10;
const TRIES = 6;
/** So many standard deviations come about by chance once in ten thousand times. */
const MOST_DIFFERENT = 3.9;
/** Second reads of one identifier in a minute. */
const SECOND_READS = 10;
let lastAddress = randomInt(2 ** 20);

interface Samples {
  readonly known: Answer[];
  readonly unknown: Answer[];
}

describe(`faults 33: a known account can't be told from an unknown one (seed ${SEED})`, () => {
  let known: string[];
  const random = new Seeded(SEED);
  const nobody = (): string[] => Array.from({ length: IDENTIFIERS }, () => world().identifier(EAST));

  /** Whose home is east: a comparison has its own, since failures count. */
  beforeAll(async () => {
    const users = await usersOf(world(), EAST, 5 * IDENTIFIERS);
    known = users.map(({ identifier }) => identifier);
    await untilKnownEverywhere(world(), users.at(-1)!.id);
    await world().settleAll();
  });

  /** Tries known and unknown identifiers by turns that are drawn, each try from an address of its own. */
  async function sample(region: string, tries: number, identifiers: { known: string[]; unknown: string[] }, ask = signInFrom): Promise<Samples> {
    const samples: Samples = { known: [], unknown: [] };
    for (let index = 0; index < tries * identifiers.known.length; index += 1) {
      const pair = random.chance(0.5) ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const);
      for (const kind of pair) samples[kind].push(await ask(world(), region, addressOf((lastAddress += 1)), { identifier: identifiers[kind][index % identifiers[kind].length]! }));
    }
    return samples;
  }

  function mustBeAlike(samples: Samples, type: string): void {
    const first = samples.known[0]!;
    for (const answer of [...samples.known, ...samples.unknown]) {
      expect(answer.body?.type, answer.text).toBe(`urn:homeward:problem:${type}`);
      expect(looks(answer)).toEqual(looks(first));
      expect(sizes(answer)).toEqual(sizes(first));
    }
    mustTakeAsLong(samples);
  }

  it('where its home is asked', async () => {
    mustBeAlike(await sample(EAST, TRIES, { known: known.splice(0, IDENTIFIERS), unknown: nobody() }), 'invalid-credentials');
  });

  it('where another region is asked, whose home is asked in turn', async () => {
    mustBeAlike(await sample(WEST, TRIES, { known: known.splice(0, IDENTIFIERS), unknown: nobody() }), 'invalid-credentials');
  });

  it('where another region has asked the home as often as it may', async () => {
    const identifiers = { known: known.splice(0, 2), unknown: nobody().slice(0, 2) };
    const refused = (answer: Answer): boolean => answer.body.type.endsWith(':overloaded');
    await sample(WEST, SECOND_READS, identifiers);
    const { known: some, unknown: others } = await sample(WEST, 30, identifiers);
    // A minute may have ended in between: what was asked for then is a 401 as above.
    for (const answer of [...some, ...others]) expect(answer.body.type).toMatch(/:(overloaded|invalid-credentials)$/);
    const samples = { known: some.filter(refused), unknown: others.filter(refused) };
    expect(Math.min(samples.known.length, samples.unknown.length)).toBeGreaterThan(20);
    mustTakeAsLong(samples);
  });

  it('where another region is asked and the hashing queue is full', async () => {
    const crowd = Array.from({ length: 400 }, () => world().identifier(WEST));
    const identifiers = { known: known.splice(0, IDENTIFIERS), unknown: nobody() };
    const flood = new Flood(250, (number) => signInFrom(world(), WEST, addressOf((lastAddress += 1)), { identifier: crowd[number % crowd.length]! }));
    try {
      const samples = await sample(WEST, 5, identifiers);
      const overloaded = ({ status }: Answer): number => (status === 503 ? 1 : 0);
      expect(samples.known.some((answer) => overloaded(answer) === 1)).toBe(true);
      expect(Math.abs(differenceOf(samples.known.map(overloaded), samples.unknown.map(overloaded)))).toBeLessThan(MOST_DIFFERENT);
      const atOnce = (answers: Answer[]): Answer[] => answers.filter((answer) => overloaded(answer) === 1);
      mustTakeAsLong({ known: atOnce(samples.known), unknown: atOnce(samples.unknown) });
    } finally {
      await flood.stop();
    }
  });

  it('where another region is asked and the link is cut, to sign in or to register', async () => {
    await world().cut();
    try {
      await world().untilCutSeen();
      const identifiers = { known: known.splice(0, IDENTIFIERS), unknown: nobody() };
      mustBeAlike(await sample(WEST, TRIES, identifiers), 'home-unavailable');
      const register: typeof signInFrom = (asked, region, _, { identifier }) => asked.api(region, 'POST', '/v1/accounts', { body: { identifier, password: 'violet-otter-42' } });
      mustBeAlike(await sample(WEST, TRIES, identifiers, register), 'home-unavailable');
    } finally {
      await world().heal();
      await world().settleAll();
    }
  });

  it('by a test that finds what there is to find: a hash that is not made', async () => {
    const identifiers = { known: known.splice(0, 2), unknown: ['not-an-address', 'nor-this'] };
    const { known: hashed, unknown: refused } = await sample(EAST, TRIES, identifiers);
    expect(refused.every(({ status }) => status === 400)).toBe(true);
    expect(differenceOf(hashed.map(({ ms }) => ms), refused.map(({ ms }) => ms))).toBeGreaterThan(MOST_DIFFERENT);
  });
});

function mustTakeAsLong({ known, unknown }: Samples): void {
  const difference = differenceOf(known.map(({ ms }) => ms), unknown.map(({ ms }) => ms));
  expect(Math.abs(difference), `known: ${spread(known)}; unknown: ${spread(unknown)}`).toBeLessThan(MOST_DIFFERENT);
}

/** Lengths of everything that is sent, but for the moment of the answer. */
function sizes({ headers, text }: Answer): object {
  const { date: _, ...rest } = headers;
  return { text: text.length, headers: Object.entries(rest).map(([name, value]) => `${name}: ${String(value).length}`) };
}

function spread(answers: readonly Answer[]): string {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  return [0.1, 0.5, 0.9].map((part) => `${sorted[Math.floor(part * sorted.length)]?.toFixed(1)} ms`).join(' / ');
}
