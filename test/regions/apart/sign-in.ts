import { expect, it } from 'vitest';
import { type User, type World, eventually } from '../harness/index.js';
import { type Apart, type Situation, asReplication, copyRow, looks, mustBeProblem, mustBeRefusedAtOnce, otherThan, untilKnownEverywhere } from '../situations.js';

/** Users of one home as the region that is cut off from it knows them. */
interface Prepared {
  readonly plain: User;
  /** A newer epoch is known in the other region than the password there has. */
  readonly superseded: User;
  readonly withoutPassword: User;
  readonly withoutAccount: User;
}

/** Sign-in while a region is cut off from the home: right works, and what can't be proven is never called wrong. */
export class SignInApart implements Apart {
  readonly of = 'sign-in';
  private readonly reader: string;
  private users!: Prepared;

  constructor(
    private readonly world: World,
    private readonly situation: Situation,
    private readonly home: string,
  ) {
    this.reader = otherThan(world, home);
  }

  async prepare(): Promise<void> {
    const { world, reader } = this;
    const [plain, superseded, withoutPassword, withoutAccount] = (await Promise.all([1, 2, 3, 4].map(() => world.register(this.home)))) as [User, User, User, User];
    for (const { id } of [plain, superseded, withoutPassword, withoutAccount]) await untilKnownEverywhere(world, id);
    await world.sql(reader, 'UPDATE credential_epoch SET epoch = 2 WHERE account = $1', [superseded.id]);
    await asReplication(world, reader, 'DELETE FROM password WHERE account = $1', [withoutPassword.id]);
    await asReplication(world, reader, 'DELETE FROM account WHERE id = $1', [withoutAccount.id]);
    this.users = { plain, superseded, withoutPassword, withoutAccount };
  }

  during(): void {
    const { world, reader, home } = this;

    it('with account and password known here, right, works in the other region, with assurance local', async () => {
      const answer = await eventually(async () => {
        const once = await world.trySignIn(reader, this.users.plain);
        expect(once.body.assurance).toBe('local');
        return once;
      });
      expect(answer).toMatchObject({ status: 201, body: { origin: reader }, headers: { 'homeward-read': 'local', 'homeward-home': home } });
      expect((await world.check(reader, answer.body.token)).status).toBe(200);
    });

    it('at the home is full, and 401 for what is wrong or unknown', async () => {
      const { plain, superseded, withoutPassword, withoutAccount } = this.users;
      const atHome = this.situation.alive.includes(home) ? [plain, superseded, withoutPassword, withoutAccount] : [await world.register(reader)];
      const region = atHome[0]!.home;
      for (const user of atHome) expect((await world.trySignIn(region, user)).body.assurance).toBe('full');
      for (const tried of [wrong(atHome[0]!), wrong({ identifier: world.identifier(region) })]) mustBeProblem(await world.trySignIn(region, tried), 401, 'invalid-credentials');
    });

    it('that can not be proven here is refused at once, home-unavailable, and looks the same whether the account exists or not', async () => {
      const { plain, superseded, withoutPassword, withoutAccount } = this.users;
      const nobody = { identifier: world.identifier(home) };
      const tried = [wrong(plain), wrong(nobody), superseded, wrong(superseded), withoutPassword, wrong(withoutPassword), withoutAccount, wrong(withoutAccount)];
      const first = await world.trySignIn(reader, tried[0]!);
      for (const one of tried) {
        const refusal = await world.trySignIn(reader, one);
        mustBeRefusedAtOnce(refusal, home);
        expect(looks(refusal)).toEqual(looks(first));
      }
    });

    it('refused like that is not an attempt, however often', async () => {
      for (let time = 0; time < 11; time += 1) mustBeProblem(await world.trySignIn(reader, wrong(this.users.plain)), 503, 'home-unavailable');
      expect((await world.trySignIn(reader, this.users.plain)).status).toBe(201);
    });
  }

  healed(): void {
    const { world, reader } = this;

    it("is 401 by the home's word again for what is wrong or unknown, and full for what is right", async () => {
      for (const tried of [wrong(this.users.plain), wrong({ identifier: world.identifier(this.home) })]) mustBeProblem(await world.trySignIn(reader, tried), 401, 'invalid-credentials');
      for (const user of Object.values<User>(this.users as never)) await eventually(async () => expect((await world.trySignIn(reader, user)).body.assurance).toBe('full'));
    });
  }

  /** From the home's own database: while its service is dead, that one lives. */
  async undo(): Promise<void> {
    const { world, reader, home } = this;
    const { superseded, withoutPassword, withoutAccount } = this.users;
    await world.sql(reader, 'UPDATE credential_epoch SET epoch = 1 WHERE account = $1', [superseded.id]);
    await copyRow(world, 'password', withoutPassword.id, home, reader);
    await copyRow(world, 'account', withoutAccount.id, home, reader);
  }
}

function wrong({ identifier }: { identifier: string }) {
  return { identifier, password: 'something else entirely' };
}
