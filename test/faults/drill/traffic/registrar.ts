import { randomUUID } from 'node:crypto';
import { digestOf } from '../history.js';
import type { Surroundings } from './device.js';
import { type SyntheticUser, newUser } from './user.js';

/** A registration whose outcome is not known yet: asked again with the same key, through any region. */
interface Pending {
  readonly key: string;
  readonly identifier: string;
  readonly home: string;
  readonly password: string;
}

/** Registers synthetic users and keeps all that were asked for, whatever became of them. */
export class Registrar {
  /** Identifiers of every registration that was ever asked for. */
  readonly asked: string[] = [];
  readonly registered: SyntheticUser[] = [];
  private pending: Pending[] = [];

  constructor(private readonly around: Surroundings) {}

  /** A new user, or a registration again whose outcome is not known. @returns the user where it was acknowledged */
  async register(region: string, home: string): Promise<SyntheticUser | undefined> {
    const again = this.around.random.chance(0.5) ? this.pending.shift() : undefined;
    return this.attempt(region, again ?? this.fresh(home));
  }

  /** Asks again for everything that is not known, until it is. @returns how many remain */
  async resolve(region: string): Promise<number> {
    for (const pending of this.pending.splice(0)) await this.attempt(region, pending);
    return this.pending.length;
  }

  private fresh(home: string): Pending {
    const identifier = this.around.world.identifier(home);
    this.asked.push(identifier);
    return { key: randomUUID(), identifier, home, password: `pass-${randomUUID()}` };
  }

  private async attempt(region: string, pending: Pending): Promise<SyntheticUser | undefined> {
    const { world, recorder } = this.around;
    const { key, identifier, home, password } = pending;
    const asked = { region, home, user: digestOf(identifier) };
    const told = await recorder.record('register', asked, { key, password: digestOf(password) },
      () => world.api(region, 'POST', '/v1/accounts', { key, body: { identifier, password } }), ({ body }) => ({ account: body.id as string }));
    if (told.outcome === 'unknown') this.pending.push(pending);
    if (told.outcome !== 'ok') return undefined;
    const user = newUser({ account: told.answer!.body.id, identifier, home, password, calm: this.around.random.chance(0.5) });
    this.registered.push(user);
    return user;
  }
}
