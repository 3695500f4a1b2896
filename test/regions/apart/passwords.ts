import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { type Answer, type User, type World, eventually } from '../harness/index.js';
import { type Apart, type Situation, mustBeProblem, mustBeRefusedAtOnce, otherThan, untilKnownEverywhere } from '../situations.js';

/** "Ends within 2 s of healing" (faults, 11), and the margin of a busy machine. */
const ENDS_MS = 6_000;

/** A user, with a session of each region by its name. */
interface Prepared {
  readonly user: User;
  readonly tokens: Record<string, string>;
}

/** Passwords and their epochs while regions are apart: only the home changes them, and what it ended ends elsewhere after healing. */
export class PasswordsApart implements Apart {
  readonly of = 'a password';
  private readonly next = `next-${randomUUID()}`;
  /** Of each home. */
  private readonly refused = new Map<string, Prepared>();
  private readonly changed = new Map<string, Prepared>();
  private readonly madeMeanwhile = new Map<string, string>();

  constructor(
    private readonly world: World,
    private readonly situation: Situation,
    /** Whether nothing at all comes from the home, so that the other region goes on with what it knows. */
    private readonly silent: boolean,
  ) {}

  async prepare(): Promise<void> {
    for (const home of this.world.regions) {
      const [refused, changed] = await Promise.all([this.signedIn(home), this.signedIn(home)]);
      this.refused.set(home, refused!);
      this.changed.set(home, changed!);
    }
  }

  during(): void {
    const { world, next } = this;

    it('is not changed outside the home: home-unavailable, at once', async () => {
      for (const [home, { user, tokens }] of this.ofHomes(this.refused, 'reader')) {
        const reader = otherThan(world, home);
        mustBeRefusedAtOnce(await this.change(reader, tokens[reader]!, user.password), home);
        expect((await world.check(reader, tokens[reader]!)).status).toBe(200);
      }
    });

    it('is changed at the home in full: the old one is dead there at once', async () => {
      for (const [home, { user, tokens }] of this.ofHomes(this.changed, 'home')) {
        expect((await this.change(home, tokens[home]!, user.password)).status).toBe(204);
        mustBeProblem(await world.trySignIn(home, user), 401, 'invalid-credentials');
        expect((await world.trySignIn(home, { ...user, password: next })).body).toMatchObject({ assurance: 'full' });
        expect(await this.epochs(home, user.id)).toEqual({ known: 2, row: 2 });
      }
    });

    if (this.silent) it('as it is known elsewhere works there, with assurance local, and a new one can not be proven', async () => {
      for (const [home, { user }] of this.ofHomes(this.changed, 'reader')) {
        const reader = otherThan(world, home);
        const answer = await eventually(async () => {
          const once = await world.trySignIn(reader, user);
          expect(once.body.assurance).toBe('local');
          return once;
        });
        this.madeMeanwhile.set(home, answer.body.token);
        expect((await world.check(reader, answer.body.token)).status).toBe(200);
        mustBeRefusedAtOnce(await world.trySignIn(reader, { ...user, password: next }), home);
      }
    });
  }

  atHealing(): void {
    const { world } = this;

    it('that was changed has ended within 2 s of healing, and the sessions made with it too', async () => {
      const healedMs = performance.now();
      for (const [home, { user, tokens }] of this.ofHomes(this.changed, 'home')) {
        const reader = otherThan(world, home);
        const leftMs = ENDS_MS - (performance.now() - healedMs);
        await eventually(async () => mustBeProblem(await world.trySignIn(reader, user), 401, 'invalid-credentials'), leftMs);
        for (const token of [tokens[reader]!, ...(this.situation.alive.includes(reader) && this.madeMeanwhile.has(home) ? [this.madeMeanwhile.get(home)!] : [])]) {
          await eventually(async () => mustBeProblem(await world.check(reader, token), 401, 'session-invalid'), leftMs);
        }
      }
    });
  }

  healed(): void {
    const { world, next } = this;

    it('that was changed is the same everywhere, with its epoch, and the asking session goes on', async () => {
      for (const [home, { user, tokens }] of this.ofHomes(this.changed, 'home')) {
        for (const region of world.regions) {
          expect(await this.epochs(region, user.id)).toEqual({ known: 2, row: 2 });
          expect((await world.trySignIn(region, { ...user, password: next })).status).toBe(201);
          expect((await world.check(region, tokens[home]!)).status).toBe(200);
        }
      }
    });

    it('whose change was refused is the old one everywhere, with its sessions', async () => {
      for (const [home, { user, tokens }] of this.ofHomes(this.refused, 'reader')) {
        const reader = otherThan(world, home);
        for (const region of world.regions) expect((await world.trySignIn(region, user)).status).toBe(201);
        expect((await world.check(reader, tokens[reader]!)).status).toBe(200);
      }
    });
  }

  /** The homes that run, or those whose other region runs. */
  private ofHomes(all: ReadonlyMap<string, Prepared>, runs: 'home' | 'reader'): [string, Prepared][] {
    return [...all].filter(([home]) => this.situation.alive.includes(runs === 'home' ? home : otherThan(this.world, home)));
  }

  private async signedIn(home: string): Promise<Prepared> {
    const user = await this.world.register(home);
    await untilKnownEverywhere(this.world, user.id);
    const tokens: Record<string, string> = {};
    for (const region of this.world.regions) tokens[region] = await this.world.signIn(region, user);
    return { user, tokens };
  }

  private change(door: string, token: string, current: string): Promise<Answer> {
    return this.world.api(door, 'PUT', '/v1/password', { token, body: { current, next: this.next } });
  }

  private async epochs(region: string, account: string): Promise<{ known: number; row: number }> {
    const [row] = await this.world.sql<{ known: string; row: string }>(region,
      'SELECT (SELECT epoch FROM credential_epoch WHERE account = $1) AS known, (SELECT epoch FROM password WHERE account = $1) AS row', [account]);
    return { known: Number(row!.known), row: Number(row!.row) };
  }
}
