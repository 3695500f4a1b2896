import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Answer, type User, eventually } from './harness/index.js';
import { WRITE_ENDS_MS, accountsOf, fileWorld, mustBeProblem, mustBeRefusedAtOnce, untilKnownEverywhere } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

/** What was held flows at once when all is healed; the margin is for a busy machine. */
const ARRIVES_MS = 3_000;

interface Forwarded {
  readonly identifier: string;
  readonly password: string;
  readonly next: string;
  readonly user: User;
  readonly token: string;
}

async function prepare(): Promise<Forwarded> {
  const user = await world.register(east);
  await untilKnownEverywhere(world, user.id);
  return { identifier: world.identifier(east), password: `pass-${randomUUID()}`, next: `next-${randomUUID()}`, user, token: await world.signIn(west, user) };
}

function register(door: string, { identifier, password }: { identifier: string; password: string }, headers: Record<string, string> = {}): Promise<Answer> {
  return world.api(door, 'POST', '/v1/accounts', { body: { identifier, password }, headers });
}

function change(door: string, { token, user, next }: Forwarded, headers: Record<string, string> = {}): Promise<Answer> {
  return world.api(door, 'PUT', '/v1/password', { token, body: { current: user.password, next }, headers });
}

/** Opens two connections to the home, so that what is sent next leaves, and doesn't wait for a handshake. */
async function warm(forwarded: Forwarded): Promise<void> {
  const taken = { identifier: forwarded.user.identifier, password: `pass-${randomUUID()}` };
  const answers = await Promise.all([register(west, taken), register(west, taken), register(west, taken)]);
  for (const answer of answers) mustBeProblem(answer, 409, 'identifier-taken');
}

/** What the home's service answered to a peer's call that worked for this request; fails until it has. */
async function answeredAtHome(requestId: string): Promise<number> {
  const log = await readFile(join(world.address.data, 'logs', `${east}-api.log`), 'utf8');
  const line = log.split('\n').find((one) => one.includes(`"requestId":"${requestId}"`) && one.includes('"listener":"peer"') && one.includes('"status"'));
  if (line === undefined) throw new Error(`${requestId} has not come to the home`);
  return JSON.parse(line).status;
}

/** Sends a registration and a password change into a fault that has just begun, until both have left this region. */
async function sendInto(begin: () => Promise<void>, end: () => Promise<void>): Promise<{ forwarded: Forwarded; ids: string[]; answers: Answer[] }> {
  for (let round = 0; ; round += 1) {
    const forwarded = await prepare();
    const ids = [randomUUID(), randomUUID()] as [string, string];
    await warm(forwarded);
    await begin();
    const answers = await Promise.all([register(west, forwarded, { 'x-request-id': ids[0], 'idempotency-key': ids[0] }), change(west, forwarded, { 'x-request-id': ids[1], 'idempotency-key': ids[1] })]);
    if (answers.every(({ body }) => body?.type === 'urn:homeward:problem:outcome-unknown')) return { forwarded, ids, answers };
    if (round === 4) throw new Error(`not unknown: ${answers.map(({ text }) => text).join()}`);
    await end();
    await world.settleAll();
  }
}

/** Nothing of it happened: the identifier is free for somebody else, the password is the old one. */
async function mustBeWithoutEffect({ identifier, password, user, next, token }: Forwarded): Promise<void> {
  for (const region of world.regions) {
    expect(await accountsOf(world, region, identifier)).toEqual([]);
    expect((await world.trySignIn(region, user)).status).toBe(201);
    expect((await world.check(region, token)).status).toBe(200);
    mustBeProblem(await world.trySignIn(region, { ...user, password: next }), 401, 'invalid-credentials');
  }
  const another = { identifier, password: `other-${randomUUID()}` };
  const answer = await register(west, another);
  expect(answer.status).toBe(201);
  await untilKnownEverywhere(world, answer.body.id);
  for (const region of world.regions) {
    expect((await world.trySignIn(region, another)).status).toBe(201);
    mustBeProblem(await world.trySignIn(region, { identifier, password }), 401, 'invalid-credentials');
  }
}

const faults = [
  { name: 'a link that held it', begin: () => world.cut('hold'), end: () => world.heal() },
  { name: 'a home that was frozen meanwhile', begin: () => world.part(east, 'api', { state: 'frozen' }), end: () => world.part(east, 'api', { state: 'up' }) },
];

describe.each(faults)('faults 37: a forwarded registration and a password change delivered late by $name', ({ begin, end }) => {
  it('are outcome-unknown within the budget, refused by their deadline when they arrive, and have no effect', async () => {
    // The deadline is the home's own elapsed time: what its clock shows doesn't matter.
    await world.clock(east, -3_600_000);
    try {
      for (let round = 0; ; round += 1) {
        const { forwarded, ids, answers } = await sendInto(begin, end);
        for (const answer of answers) expect(answer.ms).toBeLessThan(WRITE_ENDS_MS);
        await world.untilCutSeen([west]);
        mustBeRefusedAtOnce(await register(west, { identifier: world.identifier(east), password: forwarded.password }), east);
        mustBeRefusedAtOnce(await change(west, forwarded), east);
        await end();
        const came = await Promise.allSettled(ids.map((id) => eventually(() => answeredAtHome(id), ARRIVES_MS)));
        await world.mustConverge();
        await mustBeWithoutEffect(forwarded);
        const statuses = came.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
        if (statuses.every((status) => status === 503)) return;
        // A refusal that meets its caller's goodbye isn't logged; without the proof that both came, all this proves nothing.
        if (round === 3) throw new Error(`the home answered ${statuses.join()}`);
      }
    } finally {
      await end();
      await world.clock(east, 0);
    }
  });
});

describe('a forwarded registration and a password change that happened but whose answers were lost', () => {
  it('are outcome-unknown, and repeated with their keys, through either region, they answer as done and happened once', async () => {
    const { forwarded, ids, answers } = await sendInto(() => world.cut('blackhole', { direction: `${east}-to-${west}` }), () => world.heal());
    const [registration, passwordChange] = ids.map((key) => ({ 'idempotency-key': key })) as unknown as [Record<string, string>, Record<string, string>];
    try {
      for (const answer of answers) mustBeProblem(answer, 503, 'outcome-unknown', { home: east });
      // Where it can't be asked again, that it was not done would be a lie; of another one it is the truth.
      await world.untilCutSeen([west]);
      mustBeProblem(await register(west, forwarded, registration), 503, 'outcome-unknown', { home: east });
      mustBeProblem(await change(west, forwarded, passwordChange), 503, 'outcome-unknown', { home: east });
      mustBeRefusedAtOnce(await register(west, { identifier: world.identifier(east), password: forwarded.password }, registration), east);
      // Through the home at once, while the other region can still not be told.
      const atHome = await register(east, forwarded, registration);
      expect(atHome).toMatchObject({ status: 201, body: { identifier: forwarded.identifier, home: east } });
      await world.heal();
      await world.mustConverge();
      for (const door of world.regions) {
        const repeated = await register(door, forwarded, registration);
        expect({ status: repeated.status, text: repeated.text }).toEqual({ status: 201, text: atHome.text });
        expect((await change(door, forwarded, passwordChange)).status).toBe(204);
        expect(await accountsOf(world, door, forwarded.identifier)).toEqual([atHome.body.id]);
        const [row] = await world.sql<{ epoch: string }>(door, 'SELECT epoch FROM password WHERE account = $1', [forwarded.user.id]);
        expect(Number(row!.epoch)).toBe(2);
        expect((await world.trySignIn(door, { ...forwarded.user, password: forwarded.next })).status).toBe(201);
      }
    } finally {
      await world.heal();
    }
  });
});
