import type { World } from '../../regions/harness/world.js';
import type { FinalMoney, FinalTransfer } from './final.js';
import { inTurns } from './in-turns.js';
import { DEPOSIT, type Traffic } from './traffic/traffic.js';

/** The longest page that a list gives. */
const PAGE = 200;
const MOST_PAGES = 100;

const BOOKS_SQL = 'SELECT book, sum(amount)::float8 AS amount FROM posting WHERE region = $1 GROUP BY book';
const BALANCES_SQL = `SELECT coalesce(sum(amount), 0)::float8 AS balances, coalesce(min(amount), 0)::float8 AS lowest,
  (SELECT coalesce(sum(amount), 0)::float8 FROM posting WHERE region = $1 AND book = 'account') AS posted FROM balance WHERE region = $1`;

const ON_ITS_WAY_SQL = `SELECT EXISTS (SELECT 1 FROM posting WHERE book LIKE 'clearing:%' GROUP BY book HAVING sum(amount) <> 0)
  OR EXISTS (SELECT 1 FROM transfer_request r WHERE NOT EXISTS (SELECT 1 FROM transfer_decision d WHERE d.id = r.id)) AS waiting`;

/** Whether an order waits to be decided, or an amount to be credited, as far as this region knows. */
export async function isMoneyOnItsWay(world: World, region: string): Promise<boolean> {
  const [row] = await world.sql<{ waiting: boolean }>(region, ON_ITS_WAY_SQL);
  return row!.waiting;
}

/** Reads all money of the drill's users by the API, in every region, and every region's own books by SQL. @param tokens by user and region */
export async function readMoney(world: World, traffic: Traffic, tokens: ReadonlyMap<string, string>): Promise<FinalMoney> {
  const reads = traffic.users.flatMap((user) => world.regions.map((region) => ({ user, region, token: tokens.get(`${user.digest} ${region}`) ?? '' })));
  const told = (await world.api(world.regions[0]!, 'GET', '/v1/notifications')).status !== 404;
  const seen = await inTurns(reads, async ({ user, region, token }) => {
    const wallet = await world.api(region, 'GET', '/v1/wallet', { token });
    const transfers = await pages(world, region, '/v1/transfers', token);
    const notifications = told ? await pages(world, region, '/v1/notifications', token) : [];
    return {
      wallet: { account: user.account, region, balance: wallet.body?.balance as number, deposited: DEPOSIT },
      transfers: transfers.filter(({ payer }) => payer === user.account).map((one): FinalTransfer => ({ transfer: one.id, order: one.memo, region, payer: one.payer, payee: one.payee, amount: one.amount, status: one.status, ...(one.settledAt === undefined ? {} : { settledAt: one.settledAt }) })),
      notifications: notifications.map(({ kind, subject }) => ({ account: user.account, region, kind, subject })),
    };
  });
  const [books, balances]: [Record<string, Record<string, number>>, FinalMoney['balances'][number][]] = [{}, []];
  for (const region of world.regions) {
    const rows = await world.sql<{ book: string; amount: number }>(region, BOOKS_SQL, [region]);
    books[region] = Object.fromEntries(rows.map(({ book, amount }) => [book, amount]));
    const [row] = await world.sql<{ balances: number; lowest: number; posted: number }>(region, BALANCES_SQL, [region]);
    balances.push({ region, ...row! });
  }
  return { wallets: seen.map(({ wallet }) => wallet), transfers: seen.flatMap(({ transfers }) => transfers), ...(told ? { notifications: seen.flatMap(({ notifications }) => notifications) } : {}), books, balances };
}

/** A whole list, page by page. @throws Error where a page is refused */
async function pages(world: World, region: string, path: string, token: string): Promise<any[]> {
  const items: any[] = [];
  let after: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await world.api(region, 'GET', `${path}?limit=${PAGE}${after === null ? '' : `&after=${encodeURIComponent(after)}`}`, { token });
    if (answer.status !== 200) throw new Error(`${path} in ${region} answered ${answer.status}: ${answer.text}`);
    items.push(...answer.body.items);
    after = answer.body.next as string | null;
    if (after === null) return items;
  }
  throw new Error(`${path} in ${region} has no end`);
}
