import type { World } from '../regions/harness/world.js';
import type { Books, Posting, Told } from './books.js';

const POSTINGS = 'SELECT region, entry, leg, book, account, amount::float8 AS amount FROM posting WHERE region = $1';
const BALANCES = 'SELECT region, account, amount::float8 AS amount FROM balance WHERE region = $1';
const DECISIONS = 'SELECT $1::text AS region, region AS home, id, outcome, payer, payee, payee_home AS "payeeHome" FROM transfer_decision';
const TOLD = `SELECT DISTINCT $1::text AS region, account, kind, subject, id FROM notification WHERE kind LIKE 'transfer-%'`;
const UNDECIDED = 'SELECT DISTINCT id FROM transfer_request r WHERE NOT EXISTS (SELECT FROM transfer_decision d WHERE d.id = r.id)';
const ON_ITS_WAY = `SELECT EXISTS (SELECT FROM posting WHERE book LIKE 'clearing:%' GROUP BY book HAVING sum(amount) <> 0) AS waiting`;

/** Until no order waits and every debit is credited, as every region knows it. @throws Error while not */
export async function mustBeAtRest(world: World): Promise<void> {
  for (const region of world.regions) {
    const undecided = await world.sql(region, UNDECIDED);
    if (undecided.length > 0) throw new Error(`${undecided.length} orders wait, as ${region} knows`);
    const [row] = await world.sql<{ waiting: boolean }>(region, ON_ITS_WAY);
    if (row!.waiting) throw new Error(`debits wait to be credited, as ${region} knows`);
  }
}

/** Reads the books of all regions: of money each region's own rows, of what is shown everything that each region shows. */
export async function readBooks(world: World): Promise<Books> {
  const of = async <R extends object>(text: string): Promise<R[]> => (await Promise.all(world.regions.map((region) => world.sql<R>(region, text, [region])))).flat();
  const undecided = (await Promise.all(world.regions.map((region) => world.sql<{ id: string }>(region, UNDECIDED)))).flat();
  return {
    regions: world.regions,
    postings: await of<Posting>(POSTINGS), balances: await of<Books['balances'][number]>(BALANCES), decisions: await of<Books['decisions'][number]>(DECISIONS), told: await of<Told>(TOLD),
    undecided: [...new Set(undecided.map(({ id }) => id))],
  };
}
