import { randomUUID } from 'node:crypto';
import type { Answer, CallOptions } from './call.js';
import { eventually } from './eventually.js';
import type { User, World } from './world.js';

/** A user with money, signed in wherever a test asks. */
export interface Client extends User {
  /** A session in each region. */
  readonly tokens: Readonly<Record<string, string>>;
}

/** The API of money as its users and operators call it, and what its books must show. */
export class Money {
  constructor(private readonly world: World) {}

  /** A new user of `home`, with this in its wallet, known and signed in everywhere. */
  async client(home: string, amount = 0): Promise<Client> {
    const user = await this.world.register(home);
    await this.untilKnown(user.id);
    if (amount > 0) await this.deposit(user.id, amount);
    const tokens = await Promise.all(this.world.regions.map(async (region) => [region, await this.world.signIn(region, user)] as const));
    return { ...user, tokens: Object.fromEntries(tokens) };
  }

  async deposit(account: string, amount: number, key: string = randomUUID(), door = this.world.regions[0]!): Promise<Answer> {
    const answer = await this.tryDeposit({ account, amount, key }, door);
    if (answer.status !== 200) throw new Error(`the deposit answered ${answer.status}: ${answer.text}`);
    return answer;
  }

  tryDeposit(body: object, door = this.world.regions[0]!): Promise<Answer> {
    return this.world.ops(door, 'POST', '/ops/deposits', { body });
  }

  order(door: string, payer: Client, payee: string, amount: number, options: CallOptions & { memo?: string } = {}): Promise<Answer> {
    const { memo, ...rest } = options;
    return this.world.api(door, 'POST', '/v1/transfers', { token: payer.tokens[door]!, key: randomUUID(), body: { payee, amount, ...(memo === undefined ? {} : { memo }) }, ...rest });
  }

  cancel(door: string, payer: Client, id: string): Promise<Answer> {
    return this.world.api(door, 'POST', `/v1/transfers/${id}/cancel`, { token: payer.tokens[door]! });
  }

  one(door: string, client: Client, id: string, options: CallOptions = {}): Promise<Answer> {
    return this.world.api(door, 'GET', `/v1/transfers/${id}`, { token: client.tokens[door]!, ...options });
  }

  wallet(door: string, client: Client, options: CallOptions = {}): Promise<Answer> {
    return this.world.api(door, 'GET', '/v1/wallet', { token: client.tokens[door]!, ...options });
  }

  /** Until a transfer shows these members in every region, to its payer. */
  async untilShown(client: Client, id: string, members: Record<string, unknown>, regions: readonly string[] = this.world.regions): Promise<void> {
    await eventually(async () => {
      for (const region of regions) {
        const { body, text } = await this.one(region, client, id);
        for (const [name, value] of Object.entries(members)) if (body?.[name] !== value) throw new Error(`${region}: ${name} is not ${String(value)} in ${text}`);
      }
    });
  }

  /** The balance by the home's own books. */
  async balance({ id, home }: User): Promise<number> {
    const [row] = await this.world.sql<{ amount: number }>(home, 'SELECT amount::float8 AS amount FROM balance WHERE region = $1 AND account = $2', [home, id]);
    return row?.amount ?? 0;
  }

  /** The legs of an entry in every region, such as `east: debit account -5`. */
  async legs(entry: string): Promise<string[]> {
    const all = await Promise.all(this.world.regions.map(async (region) => {
      const rows = await this.world.sql<{ leg: string; book: string; amount: string }>(region, 'SELECT leg, book, amount FROM posting WHERE region = $1 AND entry = $2 ORDER BY amount', [region, entry]);
      return rows.map(({ leg, book, amount }) => `${region}: ${leg} ${book} ${amount}`);
    }));
    return all.flat();
  }

  /** The kinds of notifications that an account has of a transfer, as known in a region, each id once. */
  async told(region: string, account: string, subject: string): Promise<string[]> {
    const rows = await this.world.sql<{ kind: string }>(region, 'SELECT DISTINCT id, kind FROM notification WHERE account = $1 AND subject = $2', [account, subject]);
    return rows.map(({ kind }) => kind).sort();
  }

  /** Fails unless the books of all regions agree with each other; call it when all is settled. */
  async booksMustAgree(): Promise<void> {
    for (const region of this.world.regions) {
      const unbalanced = await this.world.sql(region, 'SELECT entry FROM posting WHERE region = $1 GROUP BY entry HAVING sum(amount) <> 0', [region]);
      if (unbalanced.length > 0) throw new Error(`${region}: entries that do not sum to zero: ${JSON.stringify(unbalanced)}`);
      const drifted = await this.world.sql(region, `
        SELECT b.account FROM balance b WHERE b.region = $1 AND b.amount <> (SELECT coalesce(sum(p.amount), 0) FROM posting p WHERE p.region = $1 AND p.book = 'account' AND p.account = b.account)`, [region]);
      if (drifted.length > 0) throw new Error(`${region}: balances that are not the sum of their postings: ${JSON.stringify(drifted)}`);
    }
    const books = new Map<string, number>();
    for (const region of this.world.regions) {
      const rows = await this.world.sql<{ book: string; total: number }>(region, 'SELECT book, sum(amount)::float8 AS total FROM posting WHERE region = $1 GROUP BY book', [region]);
      for (const { book, total } of rows) books.set(book, (books.get(book) ?? 0) + total);
    }
    const clearing = [...books].filter(([book, total]) => book.startsWith('clearing:') && total !== 0);
    if (clearing.length > 0) throw new Error(`debits that were not credited: ${JSON.stringify(clearing)}`);
    const sum = [...books.values()].reduce((total, one) => total + one, 0);
    if (sum !== 0) throw new Error(`all books together hold ${sum}`);
  }

  /** Until an account is known in every region. */
  async untilKnown(account: string): Promise<void> {
    await eventually(async () => {
      for (const region of this.world.regions) {
        const rows = await this.world.sql(region, 'SELECT 1 FROM account JOIN password ON account = id WHERE id = $1', [account]);
        if (rows.length === 0) throw new Error(`${account} is not known in ${region} yet`);
      }
    });
  }
}
