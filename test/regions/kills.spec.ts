import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type User, eventually } from './harness/index.js';
import { itKeepsWhatWasAcknowledged } from './kept-writes.js';
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

  itKeepsWhatWasAcknowledged(world, traffic);

  it('every fault was felt', () => {
    expect([...traffic.registrations, ...traffic.edits, ...traffic.endings].map(({ fate }) => fate)).toContain('unknown');
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
