import { beforeAll, expect, it } from 'vitest';
import { type World, eventually } from './harness/index.js';
import type { Traffic } from './harness/traffic.js';
import { mustBeProblem, otherThan } from './situations.js';

/** What a fault in the middle of traffic must leave behind, as the tests of the `describe` that calls it; they end the traffic. */
export function itKeepsWhatWasAcknowledged(world: World, traffic: Traffic): void {
  let before: Counted[];
  beforeAll(async () => {
    before = await counted(world);
  });

  it('after all of it every acknowledged write is in both regions, and each answer was typed', async () => {
    await traffic.more(4);
    await traffic.stop();
    await world.mustConverge();
    expect(traffic.untyped).toEqual([]);
    for (const region of world.regions) expect((await world.ops(region, 'GET', '/ops/status')).body).toMatchObject({ deadLetters: 0, conflicts: 0 });
    for (const writes of [traffic.registrations, traffic.edits, traffic.endings]) expect(writes.filter(({ fate }) => fate === 'acknowledged').length).toBeGreaterThan(5);
    expect(traffic.changed.reduce((sum, { ended }) => sum + ended.length, 0)).toBeGreaterThan(3);
  });

  it('after all of it an identifier names one account: those acknowledged are there and answer a repetition as at first, those refused are not, those unknown become so when repeated', () => mustNameOneAccount(world, traffic));

  it('after all of it each account has one event, and each change of a password has one', async () => {
    const after = await counted(world);
    for (const [index, { accounts, accountEvents, changes, epochEvents }] of after.entries()) {
      expect(accountEvents - before[index]!.accountEvents).toBe(accounts - before[index]!.accounts);
      expect(epochEvents - before[index]!.epochEvents).toBe(changes - before[index]!.changes);
    }
  });

  it('after all of it each acknowledged edit shows in both regions, under the same ETag', () => mustShowEdits(world, traffic));

  it('after all of it sessions that were signed out, or that a new password ended, work nowhere', async () => {
    const mustHaveEnded = async (token: string): Promise<void> => {
      for (const region of world.regions) await eventually(async () => mustBeProblem(await world.check(region, token), 401, 'session-invalid'), 2_000);
    };
    for (const { token, door, fate } of traffic.endings) {
      if (fate !== 'acknowledged') expect((await world.api(door, 'DELETE', '/v1/sessions/current', { token })).status).toBe(204);
      await mustHaveEnded(token);
    }
    const ended = traffic.changed.flatMap(({ endedSessions }) => endedSessions);
    expect(ended.length).toBeGreaterThan(3);
    for (const token of ended) await mustHaveEnded(token);
  });

  it('after all of it old passwords work nowhere, one works everywhere, and none was changed twice', () => mustHaveOnePassword(world, traffic));
}

/** What a region's own database and its streams count. */
interface Counted {
  readonly accounts: number;
  readonly accountEvents: number;
  readonly changes: number;
  readonly epochEvents: number;
}

/** Those that have a number and those that wait for one. */
const eventsOf = (stream: string): string =>
  `(SELECT sum(head)::int FROM outbox_head WHERE stream = '${stream}') + (SELECT count(*)::int FROM outbox WHERE stream = '${stream}')`;

function counted(world: World): Promise<Counted[]> {
  return Promise.all(world.regions.map(async (region) => {
    const [row] = await world.sql<Counted>(region, `SELECT (SELECT count(*)::int FROM account WHERE home = $1) AS accounts,
      ${eventsOf('accounts')} AS "accountEvents",
      (SELECT coalesce(sum(epoch - 1), 0)::int FROM password WHERE region = $1) AS changes,
      ${eventsOf('epochs')} AS "epochEvents"`, [region]);
    return row!;
  }));
}

/** Of those acknowledged so many are asked again with their key, through the other door. */
const ASKED_AGAIN = 4;

async function mustNameOneAccount(world: World, traffic: Traffic): Promise<void> {
  const ids = new Map<string, string>();
  const acknowledged = traffic.registrations.filter(({ fate }) => fate === 'acknowledged');
  for (const { door, key, body, id } of acknowledged.slice(-ASKED_AGAIN)) {
    const again = await world.api(otherThan(world, door), 'POST', '/v1/accounts', { key, body });
    expect([again.status, again.body.id], again.text).toEqual([201, id]);
  }
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
    expect(await world.sql(region, 'SELECT identifier FROM account GROUP BY identifier HAVING count(*) > 1')).toEqual([]);
  }
  for (const region of world.regions) expect(await world.signIn(region, acknowledged.at(-1)!.body)).toBeTruthy();
}

async function mustShowEdits(world: World, traffic: Traffic): Promise<void> {
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
}

async function mustHaveOnePassword(world: World, traffic: Traffic): Promise<void> {
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
    const [row] = await world.sql<{ epoch: string }>(user.home, 'SELECT epoch FROM password WHERE account = $1', [user.id]);
    expect(Number(row!.epoch)).toBe(1 + ended.length + (working[0]![0] === inForce ? 0 : 1));
  }
}
