import { expect, it } from 'vitest';
import { Seeded } from '../faults/drill/seeded.js';
import { eventually } from '../regions/harness/eventually.js';
import { Money } from '../regions/harness/money.js';
import type { World } from '../regions/harness/world.js';
import { type Books, breachesOf } from './books.js';
import { moneySeed } from './config.js';
import { playFaults } from './faults.js';
import { mustBeAtRest, readBooks } from './read-books.js';
import { Workload } from './workload.js';

const CLIENTS_PER_REGION = 4;
const USERS = 4;
/** Until a backlog is worked off and each copy is equal, on a busy machine. */
const REST_MS = 60_000;

/** Registers the property: whatever order of transfers, deposits, cuts and kills the seed makes, money is conserved and everybody is told. */
export function describeMoney(world: () => World, seconds: number): void {
  const seed = moneySeed ?? Date.now() % 1_000_000_000;

  it(`money is conserved, and every order ends once, through cuts and kills (seed ${seed}, ${seconds} s)`, async () => {
    const { books, workload, faults } = await play(world(), seed, seconds);
    console.log(`seed ${seed}: ${workload.taken.size} orders taken, ${workload.settled.size} of them settled at once; answers ${JSON.stringify(Object.fromEntries(workload.counts))}; ${faults.join(', ')}`);
    expect(breachesOf(books, workload), `seed ${seed}; faults: ${faults.join(', ')}`).toEqual([]);
    expect(workload.taken.size).toBeGreaterThan(0);
    // What the checks are worth: a credit booked twice and one that was lost, in a copy of these very books.
    expect(breachesOf(withoutCredit(books), workload)).not.toEqual([]);
    expect(breachesOf(withCreditTwice(books), workload)).not.toEqual([]);
  }, (seconds + 240) * 1_000);
}

async function play(world: World, seed: number, seconds: number): Promise<{ books: Books; workload: Workload; faults: string[] }> {
  const money = new Money(world);
  const workload = await Workload.begin(world, money, new Seeded(seed), CLIENTS_PER_REGION);
  const stop = AbortSignal.timeout(seconds * 1_000);
  const [faults] = await Promise.all([playFaults(world, new Seeded(seed + 1), stop), workload.play(USERS, stop)]);
  await world.bringUp();
  await world.settleAll();
  await eventually(() => mustBeAtRest(world), REST_MS);
  await world.mustConverge();
  await money.booksMustAgree();
  return { books: await readBooks(world), workload, faults };
}

function aCredit({ postings, decisions }: Books) {
  const abroad = new Set(decisions.filter(({ outcome, home, payeeHome }) => outcome === 'settled' && home !== payeeHome).map(({ id }) => id));
  const credit = postings.find(({ leg, entry }) => leg === 'credit' && abroad.has(entry));
  if (credit === undefined) throw new Error('no transfer went abroad');
  return credit;
}

function withoutCredit(books: Books): Books {
  const { entry, region } = aCredit(books);
  return { ...books, postings: books.postings.filter((posting) => posting.entry !== entry || posting.region !== region) };
}

function withCreditTwice(books: Books): Books {
  const { entry, region } = aCredit(books);
  return { ...books, postings: [...books.postings, ...books.postings.filter((posting) => posting.entry === entry && posting.region === region)] };
}
