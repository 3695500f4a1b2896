import { randomUUID } from 'node:crypto';
import type { Answer } from './call.js';
import { eventually } from './eventually.js';
import type { User, World } from './world.js';

/** What a client may believe of a write: done, certainly not done, or not known. */
export type Fate = 'acknowledged' | 'refused' | 'unknown';

/** Pause of a lane between two calls: eight lanes make some ten calls a second, which leaves a busy machine time to serve them. */
const PAUSE_MS = 600;
/** Users that one lane of password changes takes in turn: what is tried with old passwords later counts as attempts of each. */
const CHANGED_USERS = 4;
const EDITED_USERS = 3;
/** Sessions that lie ready at each door to be signed out, so that sign-outs go on where nobody can sign in. */
const READY_TO_LEAVE = 3;
/** Longest wait for more calls: each may take its whole deadline while a part is frozen. */
const MORE_MS = 60_000;

export interface Registration {
  readonly door: string;
  readonly key: string;
  readonly body: { readonly identifier: string; readonly password: string };
  readonly fate: Fate;
  readonly id: string | undefined;
}
/** A user whose password is changed: the one in force, those that have ended, and the change whose outcome is not known yet. */
export interface Changed {
  readonly user: User;
  token: string;
  inForce: string;
  readonly ended: string[];
  /** A session that does not ask for the changes, so the next one ends it; and those that were ended like that. */
  bystander?: string;
  readonly endedSessions: string[];
  unknown?: { readonly key: string; readonly next: string };
}
export interface Edit {
  readonly account: string;
  readonly attribute: string;
  readonly fate: Fate;
}
export interface Ending {
  readonly token: string;
  readonly door: string;
  readonly fate: Fate;
}

/** A small stream of registrations, password changes, profile edits and sign-outs in both regions, and what became of each. */
export class Traffic {
  readonly registrations: Registration[] = [];
  readonly changed: Changed[] = [];
  readonly edits: Edit[] = [];
  readonly endings: Ending[] = [];
  /** Answers that were neither success nor a typed problem. */
  readonly untyped: string[] = [];
  private readonly edited: User[] = [];
  private readonly leaving = new Map<string, string[]>();
  private readonly editing = new Map<string, string>();
  private readonly done: Record<string, number> = {};
  private going = true;
  private lanes: Promise<void>[] = [];

  constructor(private readonly world: World) {}

  /** Makes the users it needs, then begins. */
  async run(): Promise<void> {
    const { world } = this;
    for (const home of world.regions) {
      const users = await Promise.all(Array.from({ length: CHANGED_USERS }, () => world.register(home)));
      for (const user of users) this.changed.push({ user, token: await world.signIn(home, user), inForce: user.password, ended: [], endedSessions: [] });
    }
    for (let made = 0; made < EDITED_USERS; made += 1) this.edited.push(await world.register(world.regions[made % 2]!));
    await world.settleAll();
    for (const door of world.regions) this.leaving.set(door, await Promise.all(this.edited.slice(0, READY_TO_LEAVE).map((user) => world.signIn(door, user))));
    this.lanes = world.regions.flatMap((door) => {
      this.done[door] = 0;
      const changed = this.changed.filter(({ user }) => user.home !== door);
      return [
        this.lane(door, () => this.register(door)),
        this.lane(door, (turn) => this.changePassword(door, changed[turn % changed.length]!)),
        this.lane(door, (turn) => this.edit(door, turn, this.edited[turn % this.edited.length]!)),
        this.lane(door, (turn) => this.signOut(door, this.edited[turn % this.edited.length]!)),
      ];
    });
  }

  /** Until so many more calls have ended in each of these regions, well or not. */
  async more(calls: number, regions: readonly string[] = this.world.regions): Promise<void> {
    const wanted = regions.map((region) => [region, this.done[region]! + calls] as const);
    await eventually(() => {
      for (const [region, count] of wanted) if (this.done[region]! < count) throw new Error(`${region} had ${this.done[region]} of ${count} calls`);
    }, MORE_MS);
  }

  /** Who it is whose profile was edited. */
  userOf(account: string): User {
    return this.edited.find(({ id }) => id === account)!;
  }

  /** Ends it; what is under way is waited for. */
  async stop(): Promise<void> {
    this.going = false;
    await Promise.all(this.lanes);
  }

  private async lane(door: string, work: (turn: number) => Promise<void>): Promise<void> {
    for (let turn = 0; this.going; turn += 1) {
      await work(turn);
      this.done[door]! += 1;
      await new Promise((next) => setTimeout(next, PAUSE_MS));
    }
  }

  private async register(door: string): Promise<void> {
    const home = this.world.regions[this.registrations.length % 3 === 0 ? 1 : 0]!;
    const [key, body] = [randomUUID(), { identifier: this.world.identifier(home), password: `pass-${randomUUID()}` }];
    const { fate, answer } = await this.tell(() => this.world.api(door, 'POST', '/v1/accounts', { key, body }));
    this.registrations.push({ door, key, body, fate, id: fate === 'acknowledged' ? answer!.body.id : undefined });
  }

  /** What is not known is asked again with the same key, as a client does. */
  private async changePassword(door: string, changed: Changed): Promise<void> {
    const { token, inForce: current } = changed;
    const { key, next } = (changed.unknown ??= { key: randomUUID(), next: `next-${randomUUID()}` });
    const { fate, answer } = await this.tell(() => this.world.api(door, 'PUT', '/v1/password', { token, key, body: { current, next } }));
    if (fate === 'acknowledged') {
      changed.inForce = next;
      changed.ended.push(current);
      delete changed.unknown;
      if (changed.bystander !== undefined) changed.endedSessions.push(changed.bystander);
      delete changed.bystander;
      // By turns in the region that asks and at the home that decides: each has a way of its own to end it.
      const where = changed.ended.length % 2 === 0 ? door : changed.user.home;
      await this.enter(where, { ...changed.user, password: next }, (made) => (changed.bystander = made));
    }
    if (answer?.status === 401) await this.enter(door, { ...changed.user, password: current }, (made) => (changed.token = made));
  }

  private async edit(door: string, turn: number, user: User): Promise<void> {
    const [attribute, slot] = [`${door}-${turn}`, `${door} ${user.id}`];
    const token = this.editing.get(slot);
    if (token === undefined) return void (await this.enter(door, user, (made) => this.editing.set(slot, made)));
    const { fate, answer } = await this.tell(() => this.world.api(door, 'PATCH', '/v1/profile', { token, body: { attributes: { [attribute]: 'set' } } }));
    this.edits.push({ account: user.id, attribute, fate });
    if (answer?.status === 401) this.editing.delete(slot);
  }

  private async signOut(door: string, user: User): Promise<void> {
    const ready = this.leaving.get(door)!;
    const token = ready.shift();
    if (token !== undefined) {
      const { fate } = await this.tell(() => this.world.api(door, 'DELETE', '/v1/sessions/current', { token }));
      this.endings.push({ token, door, fate });
    }
    while (ready.length < READY_TO_LEAVE && (await this.enter(door, user, (made) => ready.push(made))));
  }

  /** @returns whether it worked */
  private async enter(door: string, user: User, then: (token: string) => unknown): Promise<boolean> {
    const { fate, answer } = await this.tell(() => this.world.trySignIn(door, user));
    if (fate === 'acknowledged') then(answer!.body.token);
    return fate === 'acknowledged';
  }

  private async tell(work: () => Promise<Answer>): Promise<{ fate: Fate; answer?: Answer }> {
    const answer = await work().catch(() => undefined);
    if (answer === undefined) return { fate: 'unknown' };
    if (answer.status < 300) return { fate: 'acknowledged', answer };
    const type: string = answer.body?.type ?? '';
    if (!type.startsWith('urn:homeward:problem:') || answer.status === 500) this.untyped.push(`${answer.status} ${answer.text}`);
    const refused = answer.status < 500 || type.endsWith(':home-unavailable');
    return { fate: refused ? 'refused' : 'unknown', answer };
  }
}
