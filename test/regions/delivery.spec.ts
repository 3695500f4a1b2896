import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { portBase } from './harness/config.js';
import { Runtime, type User, World, call, eventually } from './harness/index.js';
import { readMetrics } from './harness/metrics.js';
import { type Received, Receivers } from './harness/receivers.js';
import { untilKnownEverywhere } from './situations.js';

/** Apart from the deployment that the other specs share: it alone has ways out, and tells by itself of a cut. */
const BASE = portBase + 600;
const ATTEMPTS = 3;
/** The waits between attempts (libs/features/notices/backoff.ts), less what timers may be early. */
const WAITS_MS = [1_000, 3_000].map((ms) => ms - 50);
const ENV = { HOMEWARD_ATTEMPTS_PER_ADDRESS: '100000', HOMEWARD_DELIVERY_ATTEMPTS: String(ATTEMPTS), HOMEWARD_ANNOUNCE_AFTER_SECONDS: '3', HOMEWARD_AUTO_ANNOUNCE: 'true' };

let receivers: Receivers;
let runtime: Runtime;
let world: World;
/** Its receivers refuse from the beginning: that its attempts come to an end is waited for while others are delivered to. */
let givenUp: User;

beforeAll(async () => {
  receivers = await Receivers.start();
  runtime = await Runtime.start({ portBase: BASE, env: { ...ENV, ...receivers.env } });
  world = new World(runtime.address);
  givenUp = await world.register('east');
  receivers.behave(givenUp.identifier, 'refuse');
  await changePassword('east', givenUp);
});
afterAll(async () => {
  await receivers.stop();
  await runtime.stop();
});

async function changePassword(door: string, user: User): Promise<User> {
  const token = await world.signIn(door, user);
  const next = `next-${randomUUID()}`;
  expect((await world.api(door, 'PUT', '/v1/password', { token, body: { current: user.password, next } })).status).toBe(204);
  return { ...user, password: next };
}

/** How the home's deliveries of an account stand. */
function deliveriesOf(user: User): Promise<{ channel: string; attempts: number; delivered: boolean; dead: boolean; last_error: string | null }[]> {
  return world.sql(user.home, 'SELECT channel, attempts, delivered_at IS NOT NULL AS delivered, dead_at IS NOT NULL AS dead, last_error FROM notification_delivery WHERE account = $1 ORDER BY channel', [user.id]);
}

async function untilDelivered(user: User, channels: readonly string[] = ['smtp', 'webhook']): Promise<void> {
  await eventually(async () => expect((await deliveriesOf(user)).map(({ channel, delivered }) => ({ channel, delivered }))).toEqual(channels.map((channel) => ({ channel, delivered: true }))), 30_000);
}

function gaps(received: readonly Received[]): number[] {
  return received.slice(1).map(({ atMs }, index) => atMs - received[index]!.atMs);
}

describe('a notification is delivered', () => {
  it("by the account's home alone, once by each way, signed and under one id, whichever region was asked", async () => {
    const user = await changePassword('west', await world.register('east', 'west'));
    await untilDelivered(user);
    const token = await world.signIn('west', user);
    const { body } = await eventually(async () => {
      const answer = await world.api('west', 'GET', '/v1/notifications', { token });
      expect(answer.body.items).toHaveLength(1);
      return answer;
    });
    const [mail, call] = [receivers.mailsTo(user.identifier), receivers.callsFor(user.identifier)];
    expect([mail, call].map((list) => list.map(({ id }) => id))).toEqual([[body.items[0].id], [body.items[0].id]]);
    expect(mail[0]!.text).toMatch(/^Subject: Password changed\r$/m);
    expect(JSON.parse(call[0]!.text)).toMatchObject({ kind: 'password-changed', account: user.id, identifier: user.identifier, locale: 'en', title: 'Password changed' });
    expect(receivers.forged).toEqual([]);
    expect(await world.sql('west', 'SELECT 1 FROM notification_delivery WHERE account = $1', [user.id])).toEqual([]);
  });

  it('once though both regions tell the same thing, also where it arose in the region that is not the home', async () => {
    const user = await world.register('east');
    await untilKnownEverywhere(world, user.id);
    // As the two regions that hold the same transfer request do when it is overdue.
    const [id, subject] = [randomUUID(), randomUUID()];
    const tell = (region: string) => world.sql(region, `INSERT INTO notification (region, slot, id, account, kind, subject, body, created_at)
      SELECT $1, slot, $2, id, 'transfer-overdue', $3, '{"amount": 1250}', clock_timestamp() FROM account WHERE id = $4`, [region, id, subject, user.id]);
    await tell('west');
    await untilDelivered(user);
    await tell('east');
    const token = await world.signIn('west', user);
    for (const region of world.regions) {
      await eventually(async () => expect(await world.sql(region, 'SELECT 1 FROM notification WHERE id = $1', [id])).toHaveLength(2));
      expect((await world.api(region, 'GET', '/v1/notifications', { token })).body.items).toMatchObject([{ id, text: { body: expect.stringContaining('€12.50') } }]);
    }
    expect([receivers.mailsTo(user.identifier), receivers.callsFor(user.identifier)].map((list) => list.map((one) => one.id))).toEqual([[id], [id]]);
    expect(await deliveriesOf(user)).toMatchObject([{ channel: 'smtp', attempts: 1 }, { channel: 'webhook', attempts: 1 }]);
  });

  it("in the language of the profile's locale, and to a phone number by webhook alone, which is no failure", async () => {
    const identifier = world.identifier('east', 'phone');
    const registered = await world.api('east', 'POST', '/v1/accounts', { body: { identifier, password: 'violet-otter-42', profile: { locale: 'zh-Hans-CN' } } });
    const user = { id: registered.body.id, identifier, password: 'violet-otter-42', home: 'east' };
    await changePassword('east', user);
    await untilDelivered(user, ['webhook']);
    expect(JSON.parse(receivers.callsFor(identifier)[0]!.text)).toMatchObject({ locale: 'zh', title: '密码已更改' });
    expect(receivers.mailsTo(identifier)).toEqual([]);
  });

  it('again, later each time, to a receiver that refuses, and acknowledged once', async () => {
    const user = await world.register('east');
    receivers.behave(user.identifier, 'refuse');
    await changePassword('east', user);
    await eventually(() => expect(receivers.mailsTo(user.identifier).length + receivers.callsFor(user.identifier).length).toBeGreaterThanOrEqual(4));
    receivers.behave(user.identifier, 'take');
    await untilDelivered(user);
    for (const received of [receivers.mailsTo(user.identifier), receivers.callsFor(user.identifier)]) {
      expect(received.map(({ manner }) => manner)).toEqual(['refuse', 'refuse', 'take']);
      expect(new Set(received.map(({ id }) => id)).size).toBe(1);
      gaps(received).forEach((gap, index) => expect(gap).toBeGreaterThan(WAITS_MS[index]!));
    }
  });

  it('after bounded attempts no more: it is kept, shown, and an operator begins anew', async () => {
    const user = givenUp;
    await eventually(async () => expect((await deliveriesOf(user)).map(({ dead }) => dead)).toEqual([true, true]));
    expect(receivers.callsFor(user.identifier)).toHaveLength(ATTEMPTS);
    const { body } = await world.ops('east', 'GET', '/ops/undelivered');
    const mine = body.items.filter(({ account }: { account: string }) => account === user.id);
    expect(mine).toMatchObject([{ channel: 'smtp', attempts: ATTEMPTS, lastError: 'SMTP 451 to DATA' }, { channel: 'webhook', attempts: ATTEMPTS, lastError: 'HTTP 503' }]);
    expect((await world.ops('east', 'GET', '/ops/status')).body.deliveries).toMatchObject({ smtp: { dead: 1, waiting: 0 }, webhook: { dead: 1, waiting: 0 } });
    const metrics = readMetrics((await call('GET', `http://127.0.0.1:${world.ports('east').ops}/metrics`)).text);
    expect(metrics).toContainEqual({ name: 'homeward_deliveries_dead', labels: { channel: 'webhook', region: 'east' }, value: 1 });

    receivers.behave(user.identifier, 'take');
    expect((await world.ops('east', 'POST', `/ops/undelivered/${mine[0].notification}/retry`)).body.channels.sort()).toEqual(['smtp', 'webhook']);
    await untilDelivered(user);
    expect((await world.ops('east', 'GET', '/ops/undelivered')).body.items).toEqual([]);
    expect((await world.ops('east', 'POST', `/ops/undelivered/${mine[0].notification}/retry`)).status).toBe(404);
  });

  it('never again to a mailbox that does not exist, whose address is neither kept with the failure nor logged', async () => {
    const user = await world.register('east');
    receivers.behave(user.identifier, 'refuse-for-good');
    await changePassword('east', user);
    await eventually(async () => expect((await deliveriesOf(user))[0]).toMatchObject({ channel: 'smtp', attempts: 1, dead: true, last_error: 'SMTP 550 to RCPT TO' }));
    const logs = join(world.address.data, 'logs');
    const text = await eventually(() => {
      const logged = readdirSync(logs).filter((name) => name.includes('-api.log')).map((name) => readFileSync(join(logs, name), 'utf8')).join('');
      expect(logged.includes('SMTP 550 to RCPT TO')).toBe(true);
      return logged;
    });
    for (const { to } of [...receivers.mails, ...receivers.calls]) expect(text.includes(to)).toBe(false);
  });

  it('again after the service was killed while a receiver kept it waiting, under the same id', async () => {
    const user = await world.register('east');
    receivers.behave(user.identifier, 'hold');
    await changePassword('east', user);
    await eventually(() => expect([receivers.mailsTo(user.identifier).length, receivers.callsFor(user.identifier).length]).toEqual([1, 1]));
    await world.part('east', 'api', { state: 'down', signal: 'SIGKILL' });
    receivers.behave(user.identifier, 'take');
    await world.part('east', 'api', { state: 'up' });
    await untilDelivered(user);
    for (const received of [receivers.mailsTo(user.identifier), receivers.callsFor(user.identifier)]) {
      expect(received.map(({ manner }) => manner)).toEqual(['hold', 'take']);
      expect(received[1]!.id).toBe(received[0]!.id);
    }
  });
});

describe('an announcement', () => {
  it('is made by itself where that is configured, once though both sides of a cut make one, and withdrawn when it is over', async () => {
    const user = await world.register('east');
    await untilKnownEverywhere(world, user.id);
    const told = (region: string): Promise<any[]> => world.api(region, 'GET', '/v1/announcements').then(({ body }) => body.items);
    // On a busy machine an earlier test, or the start, may have had an incident, which is told of until it is over.
    for (const region of world.regions) await eventually(async () => expect(await told(region)).toEqual([]), 30_000);
    await world.cut();
    for (const region of world.regions) await eventually(async () => expect(await told(region)).toMatchObject([{ texts: { en: { title: expect.any(String) }, zh: { title: expect.any(String) } } }]));
    const ids = await Promise.all(world.regions.map(async (region) => (await told(region))[0].id));
    expect(ids[0]).not.toBe(ids[1]);
    await world.heal();
    for (const region of world.regions) await eventually(async () => expect(await told(region)).toEqual([]), 30_000);
    for (const region of world.regions) {
      await eventually(async () => {
        const { items } = (await world.ops(region, 'GET', '/ops/announcements')).body;
        expect(items.filter((one: any) => one.ids.some((id: string) => ids.includes(id)))).toMatchObject([{ state: 'withdrawn', ids: expect.arrayContaining(ids) }]);
      });
    }
  });
});

describe('all of it', () => {
  it('was taken once by each way, also after the time in which an attempt may last, and was signed', () => {
    for (const received of [receivers.mails, receivers.calls]) {
      const taken = received.filter(({ manner }) => manner === 'take').map(({ id, to }) => `${id} to ${to}`);
      expect(taken).toEqual([...new Set(taken)]);
    }
    expect(receivers.forged).toEqual([]);
  });
});
