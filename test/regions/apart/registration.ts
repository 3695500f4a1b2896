import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Answer, World } from '../harness/index.js';
import { type Apart, type Situation, accountsOf, mustBeProblem, mustBeRefusedAtOnce, otherThan } from '../situations.js';

interface Body {
  readonly identifier: string;
  readonly password: string;
}

/** Registration while regions are apart: only the home creates its accounts, and it goes on doing so. */
export class RegistrationApart implements Apart {
  readonly of = 'registration';
  private readonly refused: Body[] = [];
  private readonly registered: { body: Body; id: string }[] = [];

  constructor(
    private readonly world: World,
    private readonly situation: Situation,
  ) {}

  async prepare(): Promise<void> {}

  during(): void {
    const { world, situation } = this;

    it("of another region's users is refused at once: home-unavailable, with the key and without", async () => {
      for (const door of situation.alive) {
        const home = otherThan(world, door);
        for (const key of [undefined, randomUUID()]) {
          const body = this.fresh(home);
          mustBeRefusedAtOnce(await this.register(door, body, key), home);
          this.refused.push(body);
        }
      }
    });

    it("of a region's own users goes on in full, weak passwords and taken identifiers refused as ever", async () => {
      for (const region of situation.alive) {
        const body = this.fresh(region);
        const answer = await this.register(region, body, 'own');
        expect(answer.status).toBe(201);
        expect((await world.trySignIn(region, body)).body).toMatchObject({ assurance: 'full' });
        expect((await this.register(region, body, 'own')).text).toBe(answer.text);
        mustBeProblem(await this.register(region, body), 409, 'identifier-taken');
        mustBeProblem(await this.register(region, { ...this.fresh(region), password: 'password123' }), 422, 'weak-password');
        this.registered.push({ body, id: answer.body.id });
      }
    });
  }

  healed(): void {
    const { world } = this;

    it('has left nothing of what was refused, and what was acknowledged is everywhere', async () => {
      for (const region of world.regions) {
        for (const { identifier } of this.refused) expect(await accountsOf(world, region, identifier)).toEqual([]);
        for (const { body, id } of this.registered) {
          expect(await accountsOf(world, region, body.identifier)).toEqual([id]);
          expect(await world.signIn(region, body)).toBeTruthy();
        }
      }
    });

    it('of what was refused works for anybody now, through the other door', async () => {
      const { identifier } = this.refused[0]!;
      const answer = await this.register(this.situation.alive[0]!, { identifier, password: `pass-${randomUUID()}` });
      expect(answer.status).toBe(201);
    });
  }

  private fresh(home: string): Body {
    return { identifier: this.world.identifier(home), password: `pass-${randomUUID()}` };
  }

  private register(door: string, body: Body, key?: string): Promise<Answer> {
    return this.world.api(door, 'POST', '/v1/accounts', { body, ...(key === undefined ? {} : { key }) });
  }
}
