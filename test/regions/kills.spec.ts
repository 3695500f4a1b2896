import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type User, eventually } from './harness/index.js';
import { Traffic } from './harness/traffic.js';
import { fileWorld, mustBeProblem, mustBeRefusedAtOnce } from './situations.js';

/** "Back within 10 s of its restart without restarting the service" (faults, 22). */
const BACK_MS = 10_000;
/** How long a part stays frozen: longer than any statement's or produce's own patience. */
const FROZEN_MS = 3_000;

const world = fileWorld();
const [east, west] = world.regions as [string, string];

function kill(region: string, part: string): Promise<void> {
  return world.part(region, part, { state: 'down', signal: 'SIGKILL' });
}

/** Asked again where a busy machine takes longer to start a part than one call may take. */
function bringBack(region: string, part: string): Promise<void> {
  return eventually(() => world.part(region, part, { state: 'up' }), 60_000);
}

async function mustBeReady(region: string, status = 200): Promise<void> {
  expect((await world.ops(region, 'GET', '/health/ready')).status).toBe(status);
}

/** The newest heartbeat that a region's service wrote: `boot` names the process, another one after each start. */
async function beatOf(region: string): Promise<{ boot: string; beat: number }> {
  const [row] = await world.sql<{ boot: string; beat: number }>(region, `SELECT body->>'boot' AS boot, (body->>'beat')::int AS beat FROM heartbeat WHERE region = $1`, [region]);
  return row!;
}

/** Until the same process writes again, without having been restarted. */
async function untilItGoesOn(region: string, before: { boot: string; beat: number }): Promise<void> {
  await eventually(async () => {
    const now = await beatOf(region);
    expect(now.boot).toBe(before.boot);
    expect(now.beat).toBeGreaterThan(before.beat);
  });
}

describe('faults 14, 22, 29: in the middle of registrations, password changes, profile edits and sign-outs in both regions', () => {
  const traffic = new Traffic(world);

  beforeAll(() => traffic.run());
  afterAll(() => traffic.stop());

  it('PostgreSQL is killed: ready within 10 s of its return, with the same service; the other region stays ready', async () => {
    await traffic.more(4);
    const before = await beatOf(east);
    await kill(east, 'postgres');
    await traffic.more(4);
    await eventually(() => mustBeReady(east, 503));
    await mustBeReady(west);
    await bringBack(east, 'postgres');
    await eventually(() => mustBeReady(east), BACK_MS);
    await untilItGoesOn(east, before);
  });

  it('the service is killed: ready again when started again, and the other region stays ready', async () => {
    await traffic.more(4);
    await kill(west, 'api');
    await traffic.more(4);
    await mustBeReady(east);
    await bringBack(west, 'api');
    await eventually(() => mustBeReady(west), BACK_MS);
  });

  it('Kafka of one region and Redis of the other are killed: both stay ready, and registration goes on', async () => {
    await traffic.more(4);
    await Promise.all([kill(east, 'kafka'), kill(west, 'redis')]);
    const registered = await Promise.all(world.regions.map((region) => world.register(region)));
    for (const region of world.regions) await mustBeReady(region);
    await traffic.more(4);
    await Promise.all([bringBack(east, 'kafka'), bringBack(west, 'redis')]);
    for (const region of world.regions) {
      await mustBeReady(region);
      await eventually(async () => expect(await world.sql(region, 'SELECT 1 FROM account WHERE id = ANY ($1)', [registered.map(({ id }) => id)])).toHaveLength(2));
    }
  });

  it('PostgreSQL of one region and Kafka of the other are frozen for 3 s: both go on by themselves', async () => {
    await traffic.more(4);
    const before = await beatOf(west);
    await Promise.all([world.part(west, 'postgres', { state: 'frozen' }), world.part(east, 'kafka', { state: 'frozen' })]);
    await new Promise((thaw) => setTimeout(thaw, FROZEN_MS));
    await Promise.all([bringBack(west, 'postgres'), bringBack(east, 'kafka')]);
    await eventually(() => Promise.all(world.regions.map((region) => mustBeReady(region))), BACK_MS);
    await untilItGoesOn(west, before);
  });

  it('after all of it every acknowledged write is in both regions, each answer was typed, and every fault was felt', async () => {
    await traffic.more(4);
    await traffic.stop();
    await world.mustConverge();
    expect(traffic.untyped).toEqual([]);
    const fates = [...traffic.registrations, ...traffic.edits, ...traffic.endings].map(({ fate }) => fate);
    expect(fates).toContain('unknown');
    for (const writes of [traffic.registrations, traffic.edits, traffic.endings]) expect(writes.filter(({ fate }) => fate === 'acknowledged').length).toBeGreaterThan(10);
    expect(traffic.changed.reduce((sum, { ended }) => sum + ended.length, 0)).toBeGreaterThan(5);
    for (const region of world.regions) expect((await world.ops(region, 'GET', '/ops/status')).body).toMatchObject({ deadLetters: 0, conflicts: 0 });
  });

  it('after all of it an identifier names one account: those acknowledged are there, those refused are not, those unknown become so when repeated', async () => {
    const ids = new Map<string, string>();
    for (const { door, key, body, fate, id } of traffic.registrations) {
      if (fate === 'acknowledged') ids.set(body.identifier, id!);
      if (fate !== 'unknown') continue;
      const repeated = await world.api(door, 'POST', '/v1/accounts', { key, body });
      expect(repeated.status).toBe(201);
      ids.set(body.identifier, repeated.body.id);
    }
    await world.mustConverge();
    const asked = traffic.registrations.map(({ body }) => body.identifier);
    for (const region of world.regions) {
      const rows = await world.sql<{ identifier: string; id: string }>(region, 'SELECT identifier, id FROM account WHERE identifier = ANY ($1)', [asked]);
      expect(new Map(rows.map(({ identifier, id }) => [identifier, id]))).toEqual(ids);
    }
    for (const region of world.regions) {
      expect(await world.sql(region, 'SELECT identifier FROM account GROUP BY identifier HAVING count(*) > 1')).toEqual([]);
    }
    const [sample] = traffic.registrations.filter(({ fate }) => fate === 'acknowledged').slice(-1);
    for (const region of world.regions) expect(await world.signIn(region, sample!.body)).toBeTruthy();
  });

  it('after all of it each acknowledged edit shows in both regions, under the same ETag', async () => {
    for (const account of new Set(traffic.edits.map((edit) => edit.account))) {
      const edits = traffic.edits.filter((edit) => edit.account === account);
      const user = traffic.userOf(account);
      const profiles = await Promise.all(world.regions.map(async (region) => world.api(region, 'GET', '/v1/profile', { token: await world.signIn(region, user) })));
      expect(profiles[0]!.text).toBe(profiles[1]!.text);
      expect(profiles[0]!.headers['etag']).toBe(profiles[1]!.headers['etag']);
      const shown = Object.keys(profiles[0]!.body.fields.attributes);
      expect(shown).toEqual(expect.arrayContaining(edits.filter(({ fate }) => fate === 'acknowledged').map(({ attribute }) => attribute)));
      for (const { attribute, fate } of edits) if (fate === 'refused') expect(shown).not.toContain(attribute);
    }
  });

  it('after all of it ended sessions work nowhere', async () => {
    for (const { token, door, fate } of traffic.endings) {
      if (fate !== 'acknowledged') expect((await world.api(door, 'DELETE', '/v1/sessions/current', { token })).status).toBe(204);
      for (const region of world.regions) await eventually(async () => mustBeProblem(await world.check(region, token), 401, 'session-invalid'), 2_000);
    }
  });

  it('after all of it old passwords work nowhere, and one works everywhere', async () => {
    for (const { user, inForce, ended, unknown } of traffic.changed) {
      const worksIn = async (region: string, password: string): Promise<boolean> => {
        const answer = await world.trySignIn(region, { ...user, password });
        if (answer.status !== 201) mustBeProblem(answer, 401, 'invalid-credentials');
        return answer.status === 201;
      };
      const candidates = unknown === undefined ? [inForce] : [inForce, unknown.next];
      const working: string[][] = [];
      for (const region of world.regions) {
        // The first and the last that ended: each more would count as an attempt.
        for (const password of new Set([ended.at(0), ended.at(-1)])) if (password !== undefined) expect(await worksIn(region, password)).toBe(false);
        const works: string[] = [];
        for (const password of candidates) if (await worksIn(region, password)) works.push(password);
        working.push(works);
      }
      expect(working[0]).toHaveLength(1);
      expect(working[1]).toEqual(working[0]);
    }
  });
});

describe('with every part of a region down', () => {
  let own: User;
  let lost: User;
  let session: string;
  let lostSession: string;

  beforeAll(async () => {
    [own, lost] = await Promise.all([world.register(west), world.register(east)]);
    await world.settleAll();
    [session, lostSession] = await Promise.all([world.signIn(west, lost), world.signIn(east, lost)]);
    await kill(east, 'all');
    await world.untilCutSeen([west]);
  });
  afterAll(() => bringBack(east, 'all'));

  it('the other serves its own users in full', async () => {
    const answer = await world.trySignIn(west, own);
    expect([answer.status, answer.body.assurance]).toEqual([201, 'full']);
    const { token } = answer.body;
    mustBeProblem(await world.trySignIn(west, { ...own, password: 'wrong-password' }), 401, 'invalid-credentials');
    const next = `${own.password}-next`;
    expect((await world.api(west, 'PUT', '/v1/password', { token, body: { current: own.password, next } })).status).toBe(204);
    own = { ...own, password: next };
    expect(await world.register(west)).toMatchObject({ home: west });
  });

  it("serves the lost region's users as far as the contract's table says", async () => {
    const known = await eventually(async () => {
      const answer = await world.trySignIn(west, lost);
      expect([answer.status, answer.body.assurance]).toEqual([201, 'local']);
      return answer;
    });
    for (const refused of [{ ...lost, password: 'wrong-password' }, { identifier: world.identifier(east), password: 'whatever-it-is' }]) {
      mustBeRefusedAtOnce(await world.trySignIn(west, refused), east);
    }
    const body = { identifier: world.identifier(east), password: 'a-good-password-9' };
    mustBeRefusedAtOnce(await world.api(west, 'POST', '/v1/accounts', { body }), east);
    mustBeRefusedAtOnce(await world.api(west, 'PUT', '/v1/password', { token: session, body: { current: lost.password, next: body.password } }), east);
    expect((await world.check(west, session)).status).toBe(200);
    mustBeProblem(await world.check(west, lostSession), 401, 'session-origin-unavailable', { origin: east, regenerate: true });
    expect((await world.api(west, 'PATCH', '/v1/profile', { token: session, body: { bio: 'written while it was gone' } })).status).toBe(200);
    expect((await world.api(west, 'DELETE', '/v1/sessions/current', { token: known.body.token })).status).toBe(204);
  });

  it('the lost one is back by itself once its parts are: equal, with what was written meanwhile', async () => {
    await bringBack(east, 'all');
    await eventually(() => mustBeReady(east), BACK_MS);
    await world.mustConverge();
    const token = await world.signIn(east, lost);
    expect((await world.api(east, 'GET', '/v1/profile', { token })).body.fields).toMatchObject({ bio: 'written while it was gone' });
    expect(await world.signIn(east, own)).toBeTruthy();
    mustBeProblem(await world.check(east, lostSession), 401, 'session-invalid');
  });
});
