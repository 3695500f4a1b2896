import type { Answer, User, World } from '../../regions/harness/index.js';

/** A wrong password that anybody could have. */
const WRONG = 'something else entirely';

/** An address of its own for each number. */
export function addressOf(number: number): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}

/** One sign-in from an address, through the proxy that the deployment trusts. */
export function signInFrom(world: World, region: string, address: string, { identifier, password = WRONG }: { identifier: string; password?: string }): Promise<Answer> {
  return world.trySignIn(region, { identifier, password }, { headers: { 'x-forwarded-for': address } });
}

/** Registers so many users of a home. */
export async function usersOf(world: World, home: string, count: number): Promise<User[]> {
  const users: User[] = [];
  while (users.length < count) users.push(...(await Promise.all(Array.from({ length: Math.min(8, count - users.length) }, () => world.register(home)))));
  return users;
}

/** Sends `perSecond` calls a second, whatever becomes of each, until it is stopped. */
export class Flood {
  readonly answers: Answer[] = [];
  readonly failures: unknown[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private going = true;
  private readonly sending: Promise<void>;
  private sent = 0;

  constructor(perSecond: number, send: (number: number) => Promise<Answer>) {
    const startMs = performance.now();
    this.sending = (async () => {
      while (this.going) {
        for (const due = ((performance.now() - startMs) * perSecond) / 1_000; this.sent < due; this.sent += 1) {
          const one = send(this.sent).then((answer) => void this.answers.push(answer), (error: unknown) => void this.failures.push(error)).finally(() => this.underWay.delete(one));
          this.underWay.add(one);
        }
        await new Promise((next) => setTimeout(next, 5));
      }
    })();
  }

  get count(): number {
    return this.sent;
  }

  /** No more is sent; what is under way is waited for. */
  async stop(): Promise<void> {
    this.going = false;
    await this.sending;
    await Promise.all(this.underWay);
  }
}
