import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Answer, eventually } from './harness/index.js';
import { accountsOf, cutFrom, during, fileWorld, killed, linkCut, mustBeProblem, mustBeRefusedAtOnce, otherThan, untilOutcomeUnknown } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

interface Body {
  readonly identifier: string;
  readonly password: string;
}

function fresh(home: string): Body {
  return { identifier: world.identifier(home), password: `pass-${randomUUID()}` };
}

function register(door: string, body: Body, key?: string): Promise<Answer> {
  return world.api(door, 'POST', '/v1/accounts', { body, ...(key === undefined ? {} : { key }) });
}

describe.each([
  linkCut(world, 'blackhole'), linkCut(world, 'hold'), linkCut(world, 'refuse'), cutFrom(world, east), cutFrom(world, west), killed(world, east),
])('while $name, registration', (situation) => {
  const end = during(world, situation);
  const refused: Body[] = [];
  const registered: { body: Body; id: string }[] = [];

  it("of another region's users is refused at once: home-unavailable, with the key and without", async () => {
    for (const door of situation.alive) {
      const home = otherThan(world, door);
      for (const key of [undefined, randomUUID()]) {
        const body = fresh(home);
        mustBeRefusedAtOnce(await register(door, body, key), home);
        refused.push(body);
      }
    }
  });

  it("of a region's own users goes on in full", async () => {
    for (const region of situation.alive) {
      const body = fresh(region);
      const answer = await register(region, body, 'own');
      expect(answer.status).toBe(201);
      expect((await world.trySignIn(region, body)).body).toMatchObject({ assurance: 'full' });
      expect((await register(region, body, 'own')).text).toBe(answer.text);
      registered.push({ body, id: answer.body.id });
    }
  });

  it('has left nothing of what was refused once all is healed, and what was acknowledged is everywhere', async () => {
    await end();
    await world.mustConverge();
    for (const region of world.regions) {
      for (const { identifier } of refused) expect(await accountsOf(world, region, identifier)).toEqual([]);
      for (const { body, id } of registered) {
        expect(await accountsOf(world, region, body.identifier)).toEqual([id]);
        expect(await world.signIn(region, body)).toBeTruthy();
      }
    }
    for (const { identifier } of refused) {
      // The same identifier is free for anybody, through the door that had refused it.
      const again = { identifier, password: `pass-${randomUUID()}` };
      expect((await register(world.regions[0]!, again)).status).toBe(201);
    }
  });
});

describe('a registration that happened but whose answer was lost', () => {
  it('is outcome-unknown, and the repetition with the same key answers 201 through either region', async () => {
    let body = fresh(east);
    let key = '';
    const unknown = await untilOutcomeUnknown(world, async (cut) => {
      [body, key] = [fresh(east), randomUUID()];
      // What leaves must leave on a connection that is open: one that has yet to shake hands would certainly not be sent.
      expect((await register(west, fresh(east))).status).toBe(201);
      await cut();
      return register(west, body, key);
    }, () => world.cut('blackhole', { direction: `${east}-to-${west}` }));
    mustBeProblem(unknown, 503, 'outcome-unknown', { home: east });
    const atHome = await register(east, body, key);
    expect(atHome).toMatchObject({ status: 201, body: { identifier: body.identifier, home: east } });
    await world.heal();
    await world.mustConverge();
    const elsewhere = await register(west, body, key);
    expect({ status: elsewhere.status, text: elsewhere.text }).toEqual({ status: 201, text: atHome.text });
    for (const region of world.regions) expect(await accountsOf(world, region, body.identifier)).toEqual([atHome.body.id]);
  });
});

describe('registrations in the middle of which the PostgreSQL of the home is killed', () => {
  it('are everywhere where they were acknowledged, and one account each where they are repeated with their key', async () => {
    const asked = Array.from({ length: 40 }, (_, index) => ({ body: fresh(east), key: randomUUID(), door: world.regions[index % 2]! }));
    let answered = 0;
    const firsts = asked.map(({ body, key, door }) => register(door, body, key).finally(() => (answered += 1)));
    const ends = Promise.allSettled(firsts);
    await eventually(() => expect(answered).toBeGreaterThan(8));
    await world.part(east, 'postgres', { state: 'down', signal: 'SIGKILL' });
    await ends;
    await world.part(east, 'postgres', { state: 'up' });
    const answers = await Promise.all(firsts);
    const lost = answers.filter(({ status }) => status !== 201);
    expect(lost.length).toBeGreaterThan(0);
    for (const answer of lost) expect(answer.body.type).toMatch(/^urn:homeward:problem:(unavailable|home-unavailable|outcome-unknown|overloaded)$/);
    await world.settleAll();
    const repeats = await Promise.all(asked.map(({ body, key, door }) => register(otherThan(world, door), body, key)));
    expect(repeats.map(({ status }) => status)).toEqual(asked.map(() => 201));
    for (const [index, { status, text }] of answers.entries()) if (status === 201) expect(repeats[index]!.text).toBe(text);
    await world.mustConverge();
    for (const region of world.regions) {
      const rows = await world.sql<{ id: string }>(region, 'SELECT id FROM account WHERE identifier = ANY($1)', [asked.map(({ body }) => body.identifier)]);
      expect(rows.map(({ id }) => id).sort()).toEqual(repeats.map(({ body }) => body.id).sort());
    }
  });
});
