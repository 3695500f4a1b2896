import { setTimeout as pause } from 'node:timers/promises';
import type { Seeded } from '../faults/drill/seeded.js';
import type { Answer } from '../regions/harness/call.js';
import type { Client, Money } from '../regions/harness/money.js';
import type { World } from '../regions/harness/world.js';
import type { Answered } from './books.js';

/** What a client does next, and how often of a hundred times. */
const WEIGHTS = { order: 58, repeat: 12, both: 8, otherBody: 4, cancel: 8, deposit: 10 } as const;
/** Less than many orders together, so that some find too little money. */
const START = 1_000;
const LARGEST_ORDER = 400;
const LARGEST_DEPOSIT = 300;
/** Between two calls of one of them: two cores serve the stores, the regions and this. */
const PAUSE_MS = 150;

interface Order {
  readonly payer: Client;
  readonly payee: Client;
  readonly amount: number;
  readonly key: string;
}

/** Users of every region who order, repeat, cancel and are paid in, at random, through any region, whatever happens to it. */
export class Workload implements Answered {
  readonly taken = new Set<string>();
  readonly settled = new Set<string>();
  readonly deposits = new Map<string, { sure: number; unsure: number }>();
  /** Answers by status; `unknown` where there was none. */
  readonly counts = new Map<string, number>();
  private readonly orders: Order[] = [];
  private readonly queued: { payer: Client; id: string }[] = [];
  private keys = 0;

  private constructor(
    private readonly world: World,
    private readonly money: Money,
    private readonly clients: readonly Client[],
    private readonly random: Seeded,
    private readonly run: string,
  ) {}

  /** @param perRegion clients of each home, with money */
  static async begin(world: World, money: Money, random: Seeded, perRegion: number): Promise<Workload> {
    const clients: Client[] = [];
    for (const home of world.regions) for (let made = 0; made < perRegion; made += 1) clients.push(await money.client(home, START));
    const workload = new Workload(world, money, clients, random, `${Date.now()}`);
    for (const { id } of clients) workload.deposits.set(id, { sure: START, unsure: 0 });
    return workload;
  }

  /** Goes on until told to stop. @param users how many act at the same time */
  async play(users: number, stop: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: users }, async () => {
      while (!stop.aborted) {
        await this.act();
        await pause(this.random.between(0, 2 * PAUSE_MS));
      }
    }));
  }

  private async act(): Promise<void> {
    const { random } = this;
    const act = random.weighed(WEIGHTS);
    const earlier = this.orders.length === 0 ? undefined : random.pick(this.orders.slice(-40));
    if (act === 'deposit') return this.deposit();
    if (act === 'cancel' && this.queued.length > 0) return this.cancel();
    if (act === 'repeat' && earlier !== undefined) return this.order(this.door(), earlier);
    if (act === 'otherBody' && earlier !== undefined) return this.order(this.door(), { ...earlier, amount: earlier.amount + 1 });
    const order = this.newOrder();
    if (act !== 'both') return this.order(this.door(), order);
    await Promise.all(this.world.regions.map((door) => this.order(door, order)));
  }

  private newOrder(): Order {
    const { random, clients } = this;
    const payer = random.pick(clients);
    const order = { payer, payee: random.pick(clients.filter((client) => client !== payer)), amount: Math.ceil(random.between(0, LARGEST_ORDER)), key: this.key() };
    this.orders.push(order);
    return order;
  }

  private async order(door: string, { payer, payee, amount, key }: Order): Promise<void> {
    const answer = await this.told(() => this.money.order(door, payer, this.random.chance(0.5) ? payee.id : payee.identifier, amount, { key }));
    if (answer?.status !== 201 && answer?.status !== 202) return;
    this.taken.add(answer.body.id);
    if (answer.body.status === 'settled') this.settled.add(answer.body.id);
    if (answer.body.status === 'queued') this.queued.push({ payer, id: answer.body.id });
  }

  private async cancel(): Promise<void> {
    const { payer, id } = this.random.pick(this.queued.slice(-20));
    await this.told(() => this.money.cancel(this.door(), payer, id));
  }

  private async deposit(): Promise<void> {
    const { id } = this.random.pick(this.clients);
    const amount = Math.ceil(this.random.between(0, LARGEST_DEPOSIT));
    const answer = await this.told(() => this.money.tryDeposit({ account: id, amount, key: this.key() }, this.door()));
    const sum = this.deposits.get(id)!;
    if (answer?.status === 200) sum.sure += amount;
    else sum.unsure += amount;
  }

  /** What a call was answered; undefined where it was not, which says nothing of what it did. */
  private async told(call: () => Promise<Answer>): Promise<Answer | undefined> {
    const answer = await call().catch(() => undefined);
    const name = String(answer?.status ?? 'unknown');
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    return answer;
  }

  private door(): string {
    return this.random.pick(this.world.regions);
  }

  private key(): string {
    this.keys += 1;
    return `${this.run}-${this.keys}`;
  }
}
