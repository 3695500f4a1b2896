import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, eventually } from './harness/index.js';
import { fileWorld, mustBeProblem, otherThan, untilKnownEverywhere } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

/** "Elsewhere within 1 s while the link is up", and the margin of a busy machine. */
const ELSEWHERE_MS = 3_000;
/** "Wherever it was cached within 5 s", and the margin of a busy machine. */
const CACHED_MS = 7_000;

function change(door: string, token: string, current: string, next: string, key?: string): Promise<Answer> {
  return world.api(door, 'PUT', '/v1/password', { token, body: { current, next }, ...(key === undefined ? {} : { key }) });
}

async function known(home: string): Promise<User> {
  const user = await world.register(home);
  await untilKnownEverywhere(world, user.id);
  return user;
}

async function epochAt(region: string, account: string): Promise<number> {
  const [row] = await world.sql<{ epoch: string }>(region, 'SELECT epoch FROM password WHERE account = $1', [account]);
  return Number(row!.epoch);
}

describe.each([
  { asked: 'at the home by a session made there', door: east, origin: east },
  { asked: 'in the other region by a session made there', door: west, origin: west },
  { asked: 'at the home by a session made in the other region', door: east, origin: west },
  { asked: 'in the other region by a session made at the home', door: west, origin: east },
])('a password changed $asked', ({ door, origin }) => {
  const next = `next-${randomUUID()}`;
  let user: User;
  let asking: string;
  let others: string[];
  let changed: Answer;
  beforeAll(async () => {
    user = await known(east);
    asking = await world.signIn(origin, user);
    others = [await world.signIn(east, user), await world.signIn(west, user)];
    // All are cached where they weren't made, which is where ending them takes longest.
    for (const token of [asking, ...others]) for (const region of world.regions) expect((await world.check(region, token)).status).toBe(200);
    changed = await change(door, asking, user.password, next);
  });

  it('answers 204 with a consistency token', () => {
    expect(changed.status).toBe(204);
    expect(changed.headers).toMatchObject({ 'homeward-region': door, 'homeward-home': east, 'homeward-consistency': expect.any(String) });
  });

  it('ends the old one at home at once, elsewhere within 1 s', async () => {
    mustBeProblem(await world.trySignIn(east, user), 401, 'invalid-credentials');
    await eventually(async () => mustBeProblem(await world.trySignIn(west, user), 401, 'invalid-credentials'), ELSEWHERE_MS);
  });

  it('lets the new one in everywhere at once', async () => {
    for (const region of world.regions) expect((await world.trySignIn(region, { ...user, password: next })).status).toBe(201);
  });

  it('ends all other sessions in every region', async () => {
    for (const token of others) for (const region of world.regions) {
      await eventually(async () => mustBeProblem(await world.check(region, token), 401, 'session-invalid'), CACHED_MS);
    }
  });

  it('lets the asking session go on, wherever it was made', async () => {
    await world.settleAll();
    for (const region of world.regions) expect((await world.check(region, asking)).body).toMatchObject({ origin, account: { id: user.id } });
    await untilKnownEverywhere(world, user.id);
    expect((await change(otherThan(world, door), asking, next, `${next}-again`)).status).toBe(204);
    for (const region of world.regions) expect((await world.check(region, asking)).status).toBe(200);
  });
});

describe('a change of password', () => {
  it('repeated after it was done is 204: without a key, with the same key, and through the other region', async () => {
    const user = await known(east);
    for (const [index, door] of world.regions.entries()) {
      const [current, next, key] = [index === 0 ? user.password : 'next-0', `next-${index}`, randomUUID()].map((text) => text.padEnd(12, '-')) as [string, string, string];
      const token = await world.signIn(door, { ...user, password: current });
      expect((await change(door, token, current, next, key)).status).toBe(204);
      for (const again of world.regions) {
        expect((await change(again, token, current, next)).status).toBe(204);
        expect((await change(again, token, current, next, key)).status).toBe(204);
      }
      expect(await epochAt(east, user.id)).toBe(index + 2);
    }
  });

  it('repeated with its key after a later change answers as at first and changes nothing', async () => {
    const user = await known(west);
    const token = await world.signIn(east, user);
    const key = randomUUID();
    const [second, third] = [`second-${key}`, `third-${key}`];
    expect((await change(east, token, user.password, second, key)).status).toBe(204);
    expect((await change(west, token, second, third)).status).toBe(204);
    for (const door of world.regions) expect((await change(door, token, user.password, second, key)).status).toBe(204);
    expect((await world.trySignIn(west, { ...user, password: third })).status).toBe(201);
    mustBeProblem(await world.trySignIn(west, { ...user, password: second }), 401, 'invalid-credentials');
    expect(await epochAt(west, user.id)).toBe(3);
  });

  it('with the same key and another body is refused: idempotency-key-reused', async () => {
    const user = await known(east);
    const token = await world.signIn(west, user);
    const key = randomUUID();
    const next = `next-${key}`;
    expect((await change(west, token, user.password, next, key)).status).toBe(204);
    for (const door of world.regions) {
      mustBeProblem(await change(door, token, user.password, `${next}!`, key), 409, 'idempotency-key-reused');
      mustBeProblem(await change(door, token, `${user.password}!`, next, key), 409, 'idempotency-key-reused');
    }
  });

  it('with a wrong current one is 401, with a weak next one 422, and neither changes anything', async () => {
    const user = await known(east);
    for (const door of world.regions) {
      const token = await world.signIn(door, user);
      mustBeProblem(await change(door, token, 'something else entirely', `next-${randomUUID()}`), 401, 'invalid-credentials');
      for (const next of ['password123', user.identifier.split('@')[0]!, 'x7!kQz2', 'ab1-'.repeat(64) + 'c']) mustBeProblem(await change(door, token, user.password, next), 422, 'weak-password');
      expect((await world.check(door, token)).status).toBe(200);
    }
    expect(await epochAt(east, user.id)).toBe(1);
  });

  it('asked in both regions at once happens once, or one after the other: one password is left, the same everywhere', async () => {
    const user = await known(east);
    const tokens = [await world.signIn(east, user), await world.signIn(west, user)];
    const wanted = world.regions.map((door) => `next-${door}-${randomUUID()}`);
    const answers = await Promise.all(world.regions.map((door, index) => change(door, tokens[index]!, user.password, wanted[index]!)));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 204) expect(answer.body.type).toMatch(/:(invalid-credentials|session-invalid)$/);
    await world.mustConverge();
    const won = wanted[answers.findIndex(({ status }) => status === 204)]!;
    for (const region of world.regions) {
      for (const password of [user.password, ...wanted]) expect((await world.trySignIn(region, { ...user, password })).status).toBe(password === won ? 201 : 401);
    }
  });
});
