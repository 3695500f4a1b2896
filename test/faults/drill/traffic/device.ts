import { randomUUID } from 'node:crypto';
import type { Answer } from '../../../regions/harness/call.js';
import type { World } from '../../../regions/harness/world.js';
import { type SessionFacts, digestOf } from '../history.js';
import { type Asked, type Recorder, type Told, flatFields } from '../recorder.js';
import type { Seeded } from '../seeded.js';
import { linkBetween } from '../timeline.js';
import type { HeldSession, Order, SyntheticUser } from './user.js';

/** Wrong passwords of one user in one region: the service takes ten, and the final reads need some. */
const MOST_WRONG_TRIES = 3;
const PLAIN_FIELDS = ['displayName', 'bio'];
const ATTRIBUTES = ['a', 'b', 'c'];
const REMOVES = 0.1;
const MOST_AMOUNT = 300;

/** What all devices of a drill work with. */
export interface Surroundings {
  readonly world: World;
  readonly recorder: Recorder;
  readonly random: Seeded;
  /** Links over which a session counts as out of reach though it is not: what a cut makes clients do is done before it too. */
  readonly rehearsed: ReadonlySet<string>;
}

/** One of a user's devices: it does one thing after the other, in any region, and carries its newest consistency token. */
export class Device {
  busy = false;
  session: HeldSession | undefined;
  private consistency: string | undefined;
  private leaving: 'sign-out' | 'sign-out-all' | undefined;
  private edits = 0;

  constructor(
    readonly name: string,
    readonly user: SyntheticUser,
    private readonly around: Surroundings,
  ) {}

  /** Signs in with the password that the user believes in; where a change is not known yet, with the other one too. */
  async signIn(region: string): Promise<void> {
    const { user } = this;
    const told = await this.tryPassword('sign-in', region, user.password);
    const next = user.change?.unknown === true ? user.change.next : undefined;
    if (told.problem === 'invalid-credentials' && next !== undefined) await this.tryPassword('sign-in', region, next);
  }

  async check(region: string): Promise<void> {
    await this.withSession(region, (session) => this.record('check', region, session, {}, () => this.ask(region, 'GET', '/v1/sessions/current', session)));
  }

  async readProfile(region: string): Promise<void> {
    await this.withSession(region, (session) => this.record('read-profile', region, session, {}, () => this.ask(region, 'GET', '/v1/profile', session), seenIn));
  }

  /** Each edit writes a value that nobody else writes, so that a value tells whose it is. */
  async editProfile(region: string): Promise<void> {
    const { random } = this.around;
    const plain = random.chance(0.5);
    const name = random.pick(plain ? PLAIN_FIELDS : ATTRIBUTES);
    const value = !plain && random.chance(REMOVES) ? null : `${this.name}-${(this.edits += 1)}`;
    const field = plain ? name : `attributes.${name}`;
    const body = plain ? { [name]: value } : { attributes: { [name]: value } };
    await this.withSession(region, (session) =>
      this.record('edit-profile', region, session, { field, value }, () => this.ask(region, 'PATCH', '/v1/profile', session, { body }), seenIn));
  }

  /** What is not known is asked again with the same key, as a client does. */
  async changePassword(region: string): Promise<void> {
    const { user } = this;
    if (user.changing) return;
    user.changing = true;
    try {
      await this.withSession(region, (session) => this.changeWith(region, session));
    } finally {
      user.changing = false;
    }
  }

  async signOut(region: string, all = false): Promise<void> {
    this.leaving = all ? 'sign-out-all' : 'sign-out';
    await this.leave(region);
  }

  async tryOldPassword(region: string): Promise<void> {
    const { user, around } = this;
    const old = [...user.retired, ...user.neverTaken];
    if (old.length === 0 || (user.wrongTries[region] ?? 0) >= MOST_WRONG_TRIES) return this.check(region);
    user.wrongTries[region] = (user.wrongTries[region] ?? 0) + 1;
    await this.tryPassword('try-old-password', region, around.random.pick(old));
  }

  /** @param ended one that this user ended before */
  async tryEndedSession(region: string): Promise<void> {
    const ended = this.user.sessions.filter(({ token }) => token !== this.session?.token);
    if (ended.length === 0) return this.check(region);
    const session = this.around.random.pick(ended.slice(-6));
    await this.record('try-ended-session', region, session, {}, () => this.around.world.check(region, session.token));
  }

  async readWallet(region: string): Promise<void> {
    const learn = ({ body }: Answer): object => ({ balance: body.balance, authoritative: body.authoritative });
    await this.withSession(region, (session) => this.record('read-wallet', region, session, {}, () => this.ask(region, 'GET', '/v1/wallet', session), learn));
  }

  /**
   * Gives an order, or gives one again whose outcome is not known. What is ordered twice at once, in two regions, is one transfer.
   * @param payee whom a new order pays
   * @param also another region that is asked at the same time
   */
  async transfer(region: string, payee: SyntheticUser, also?: string): Promise<void> {
    const { user, around: { random } } = this;
    const order = user.orders.shift() ?? { key: randomUUID(), payee: random.chance(0.5) ? payee.identifier : payee.account, amount: Math.ceil(random.between(0, MOST_AMOUNT)) };
    if (also !== undefined) await Promise.all([this.order(region, order), this.order(also, order)]);
    else await this.order(region, order);
  }

  private order(region: string, order: Order): Promise<void> {
    const { key, payee, amount } = order;
    const learn = ({ body }: Answer): object => ({ transfer: body.id, transferStatus: body.status });
    let asked = false;
    return this.withSession(region, async (session) => {
      asked = true;
      const told = await this.record('transfer', region, session, { key, payee: digestOf(payee), amount },
        () => this.ask(region, 'POST', '/v1/transfers', session, { key, body: { payee, amount, memo: key } }), learn);
      if (told.outcome === 'unknown' || told.problem?.startsWith('session-') === true) this.user.orders.push(order);
      return told;
    }).finally(() => {
      if (!asked) this.user.orders.push(order);
    });
  }

  /** What it was about to end is ended first. @returns false where there was nothing */
  async finishLeaving(region: string): Promise<boolean> {
    if (this.leaving === undefined) return false;
    await this.leave(region);
    return true;
  }

  private async leave(region: string): Promise<void> {
    const { session, leaving } = this;
    if (session === undefined || leaving === undefined) return;
    const path = leaving === 'sign-out' ? '/v1/sessions/current' : '/v1/sessions';
    const told = await this.record(leaving, region, session, {}, () => this.ask(region, 'DELETE', path, session));
    if (told.outcome === 'unknown') return;
    this.leaving = undefined;
    if (told.outcome === 'ok') this.session = undefined;
  }

  private async changeWith(region: string, session: HeldSession): Promise<Told> {
    const { user } = this;
    const change = (user.change ??= { key: randomUUID(), next: `next-${randomUUID()}`, unknown: false });
    const facts = { key: change.key, current: digestOf(user.password), next: digestOf(change.next) };
    const body = { current: user.password, next: change.next };
    const told = await this.record('change-password', region, session, facts, () => this.ask(region, 'PUT', '/v1/password', session, { key: change.key, body }));
    if (told.outcome === 'unknown') change.unknown = true;
    if (told.outcome === 'refused' && !change.unknown) {
      user.neverTaken.push(change.next);
      user.change = undefined;
    }
    if (told.outcome === 'ok') {
      user.retired.push(user.password);
      user.password = change.next;
      user.change = undefined;
    }
    return told;
  }

  private async tryPassword(kind: 'sign-in' | 'try-old-password', region: string, password: string): Promise<Told> {
    const { user, around: { world, recorder } } = this;
    const learn = ({ body }: Answer) => ({ account: body.account.id as string, session: digestOf(body.token), assurance: body.assurance as string });
    const told = await recorder.record(kind, this.asked(region), { password: digestOf(password) },
      () => world.trySignIn(region, { identifier: user.identifier, password }, { consistency: this.consistency }), learn);
    if (told.outcome !== 'ok') return told;
    const { token } = told.answer!.body as { token: string };
    const session = { token, digest: digestOf(token), origin: region };
    user.sessions.push(session);
    if (kind === 'sign-in') this.session = session;
    this.keepConsistency(told);
    return told;
  }

  /** Where there is no session, signing in is what the client does first. */
  private async withSession(region: string, work: (session: HeldSession) => Promise<Told>): Promise<void> {
    if (this.session === undefined) return this.signIn(region);
    const told = await work(this.session);
    if (told.problem === 'session-invalid') this.session = undefined;
    // Told to sign in again here, a client does.
    if (told.problem === 'session-origin-unavailable' || this.rehearses(region)) await this.signIn(region);
  }

  private rehearses(region: string): boolean {
    return this.session !== undefined && this.session.origin !== region && this.around.rehearsed.has(linkBetween(region, this.session.origin));
  }

  private async record<K extends 'check' | 'read-profile' | 'edit-profile' | 'change-password' | 'sign-out' | 'sign-out-all' | 'try-ended-session' | 'read-wallet' | 'transfer'>(
    kind: K, region: string, session: HeldSession, facts: object, ask: () => Promise<Answer>, learn?: (answer: Answer) => object,
  ): Promise<Told> {
    const who: SessionFacts = { session: session.digest, origin: session.origin, device: this.name };
    const told = await this.around.recorder.record(kind, this.asked(region), { ...who, ...facts } as never, ask, learn as never);
    this.keepConsistency(told);
    return told;
  }

  private ask(region: string, method: string, path: string, { token }: HeldSession, options: { body?: unknown; key?: string } = {}): Promise<Answer> {
    return this.around.world.api(region, method, path, { token, consistency: this.consistency, ...options });
  }

  private asked(region: string): Asked {
    return { region, home: this.user.home, user: this.user.digest };
  }

  private keepConsistency({ answer }: Told): void {
    const token = answer?.headers['homeward-consistency'];
    if (typeof token === 'string') this.consistency = token;
  }
}

function seenIn({ body }: Answer): object {
  return { seen: flatFields(body.fields) };
}
