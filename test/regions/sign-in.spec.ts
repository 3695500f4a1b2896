import { beforeAll, describe, expect, it } from 'vitest';
import { type User, eventually } from './harness/index.js';
import { accountsOf, asReplication, copyRow, fileWorld, holding, looks, mustBeProblem, otherThan, untilKnownEverywhere } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

/** A new user who is known everywhere. */
async function known(home: string): Promise<User> {
  const user = await world.register(home);
  await untilKnownEverywhere(world, user.id);
  return user;
}

function wrong({ identifier }: { identifier: string }) {
  return { identifier, password: 'something else entirely' };
}

/** Whether a region has rows of an account. */
async function rowsOf(region: string, account: string): Promise<{ account: boolean; password: boolean }> {
  const [row] = await world.sql<{ account: boolean; password: boolean }>(region,
    'SELECT EXISTS (SELECT FROM account WHERE id = $1) AS account, EXISTS (SELECT FROM password WHERE account = $1) AS password', [account]);
  return row!;
}

describe('while all is well, a sign-in', () => {
  it('works in every region with assurance full, from what is known there', async () => {
    for (const home of world.regions) {
      const user = await known(home);
      for (const region of world.regions) {
        const answer = await eventually(async () => {
          const once = await world.trySignIn(region, user);
          expect(once.body.assurance).toBe('full');
          return once;
        });
        expect(answer.status).toBe(201);
        expect(answer.body).toEqual({ token: expect.any(String), origin: region, expiresAt: expect.any(String), assurance: 'full', account: { id: user.id, identifier: user.identifier, home } });
        expect(answer.headers).toMatchObject({ 'homeward-region': region, 'homeward-home': home, 'homeward-read': 'local', 'homeward-consistency': expect.any(String) });
        expect((await world.check(region, answer.body.token)).body).toMatchObject({ origin: region, account: { id: user.id } });
      }
    }
  });

  it('with a wrong password or an unknown identifier is 401, and nothing tells one from the other', async () => {
    const user = await known(east);
    for (const region of world.regions) {
      const refusals = [await world.trySignIn(region, wrong(user)), await world.trySignIn(region, wrong({ identifier: world.identifier(east) })), await world.trySignIn(region, wrong({ identifier: world.identifier(west) }))];
      for (const refusal of refusals) {
        mustBeProblem(refusal, 401, 'invalid-credentials');
        expect(looks(refusal)).toEqual(looks(refusals[0]!));
      }
    }
  });

  it('refused takes as long for an unknown identifier as for a wrong password', async () => {
    const user = await known(east);
    const nobody = { identifier: world.identifier(east) };
    for (const region of world.regions) {
      const times: Record<'wrong' | 'unknown', number[]> = { wrong: [], unknown: [] };
      for (let time = 0; time < 5; time += 1) {
        times.wrong.push((await world.trySignIn(region, wrong(user))).ms);
        times.unknown.push((await world.trySignIn(region, wrong(nobody))).ms);
      }
      const [one, other] = [times.wrong, times.unknown].map((all) => all.sort((a, b) => a - b)[2]!);
      // A hash that is not made shows as a tenth; what a busy machine adds to a median is far less.
      expect(one! / other!).toBeGreaterThan(0.3);
      expect(one! / other!).toBeLessThan(3);
    }
  });

  it('asks the home at most 10 times a minute for one identifier, then it is overloaded, never a stale 401', async () => {
    const user = await known(east);
    await asReplication(world, west, 'DELETE FROM password WHERE account = $1', [user.id]);
    const asked = await Promise.all(Array.from({ length: 11 }, () => world.trySignIn(west, user)));
    expect(asked.filter(({ status }) => status === 201).length).toBeLessThanOrEqual(10);
    mustBeProblem(await world.trySignIn(west, wrong(user)), 503, 'overloaded');
    await copyRow(world, 'password', user.id, east, west);
    expect((await world.trySignIn(west, user)).status).toBe(201);
  });

  it("is never called wrong without the home's word: a password that doesn't match here is asked for there", async () => {
    const [user, another] = [await known(east), await known(east)];
    await asReplication(world, west, 'UPDATE password SET hash = (SELECT hash FROM password WHERE account = $2) WHERE account = $1', [user.id, another.id]);
    const answer = await world.trySignIn(west, user);
    expect(answer).toMatchObject({ status: 201, headers: { 'homeward-read': 'second' }, body: { assurance: 'full' } });
    await asReplication(world, west, 'DELETE FROM password WHERE account = $1', [user.id]);
    await copyRow(world, 'password', user.id, east, west);
  });

  it('before the password has arrived is a second read, whose password is used once and not kept', async () => {
    const user = await known(east);
    await asReplication(world, west, 'DELETE FROM password WHERE account = $1', [user.id]);
    for (let time = 0; time < 2; time += 1) {
      expect(await world.trySignIn(west, user)).toMatchObject({ status: 201, headers: { 'homeward-read': 'second' }, body: { assurance: 'full', origin: west } });
      mustBeProblem(await world.trySignIn(west, wrong(user)), 401, 'invalid-credentials');
      expect(await rowsOf(west, user.id)).toEqual({ account: true, password: false });
    }
    await copyRow(world, 'password', user.id, east, west);
    expect((await world.trySignIn(west, user)).headers['homeward-read']).toBe('local');
  });

  it('before the account has arrived is a second read, and the account is kept', async () => {
    const user = await known(east);
    await asReplication(world, west, 'DELETE FROM account WHERE id = $1', [user.id]);
    expect(await world.trySignIn(west, user)).toMatchObject({ status: 201, headers: { 'homeward-read': 'second' }, body: { assurance: 'full' } });
    expect(await accountsOf(world, west, user.identifier)).toEqual([user.id]);
    expect((await world.trySignIn(west, user)).headers['homeward-read']).toBe('local');
    await world.mustBeEqual('account');
  });

  it('while a newer epoch is known than the password here is a second read', async () => {
    const user = await known(east);
    const next = { ...user, password: `${user.password}-next` };
    const release = await holding(world, west, 'LOCK TABLE password IN EXCLUSIVE MODE');
    try {
      const token = await world.signIn(east, user);
      expect((await world.api(east, 'PUT', '/v1/password', { token, body: { current: user.password, next: next.password } })).status).toBe(204);
      await eventually(async () => {
        const [row] = await world.sql<{ epoch: string }>(west, 'SELECT epoch FROM credential_epoch WHERE account = $1', [user.id]);
        expect(Number(row!.epoch)).toBe(2);
      });
      const [copy] = await world.sql<{ epoch: string }>(west, 'SELECT epoch FROM password WHERE account = $1', [user.id]);
      expect(Number(copy!.epoch)).toBe(1);
      expect(await world.trySignIn(west, next)).toMatchObject({ status: 201, headers: { 'homeward-read': 'second' }, body: { assurance: 'full' } });
      mustBeProblem(await world.trySignIn(west, user), 401, 'invalid-credentials');
    } finally {
      await release();
    }
    await eventually(async () => expect((await world.trySignIn(west, next)).headers['homeward-read']).toBe('local'));
  });
});

describe('attempts', () => {
  let user: User;
  beforeAll(async () => {
    user = await known(east);
  });

  it('are limited to 10 wrong ones for an identifier from an address, then 429 with Retry-After, the right password too', async () => {
    for (let time = 0; time < 9; time += 1) mustBeProblem(await world.trySignIn(east, wrong(user)), 401, 'invalid-credentials');
    // What ends well doesn't count.
    for (let time = 0; time < 3; time += 1) expect((await world.trySignIn(east, user)).status).toBe(201);
    mustBeProblem(await world.trySignIn(east, wrong(user)), 401, 'invalid-credentials');
    for (const tried of [wrong(user), user]) mustBeProblem(await world.trySignIn(east, tried), 429, 'too-many-attempts');
  });

  it('count in the region that was asked: the other one still lets the user in', async () => {
    expect((await world.trySignIn(west, user)).status).toBe(201);
  });

  it('of an identifier that nobody has are limited in the same way, and look the same', async () => {
    const nobody = { identifier: world.identifier(east), password: 'something else entirely' };
    for (let time = 0; time < 10; time += 1) mustBeProblem(await world.trySignIn(east, nobody), 401, 'invalid-credentials');
    const refused = await world.trySignIn(east, nobody);
    mustBeProblem(refused, 429, 'too-many-attempts');
    expect(looks(refused)).toEqual(looks(await world.trySignIn(east, user)));
  });

  it('that come at once are not more than 10 either', async () => {
    const other = await known(otherThan(world, east));
    const answers = await Promise.all(Array.from({ length: 16 }, () => world.trySignIn(west, wrong(other))));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(10);
    for (const answer of answers) if (answer.status !== 401) expect(answer.body.type).toMatch(/:(too-many-attempts|overloaded)$/);
  });
});
