import kafkajs from 'kafkajs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseUrl } from './harness/deployment.js';
import { call, sharedWorld } from './harness/index.js';
import { readMetrics, sumOf } from './harness/metrics.js';
import { Certificates, type Identity, callPeer, portOnLink } from './harness/peer-call.js';
import { callsBetween, rowCounts } from './harness/traces.js';

const world = sharedWorld();
const DAY_MS = 24 * 3_600_000;
const FROM_EAST = { 'homeward-from': 'east', 'homeward-to': 'west' };
let certificates: Certificates;

beforeAll(() => {
  certificates = new Certificates(world);
});
afterAll(() => certificates.remove());

/** A call on west's peer listener, past the link. */
function ask(identity: Identity | undefined, options: Partial<Parameters<typeof callPeer>[0]> = {}) {
  return callPeer({ port: world.ports('west').peer, to: 'west', ca: certificates.ca, ...(identity ? { identity } : {}), headers: FROM_EAST, ...options });
}

async function refusals(labels: Record<string, string> = {}, region = 'west'): Promise<number> {
  return sumOf(readMetrics((await world.ops(region, 'GET', '/metrics')).text), 'homeward_peer_calls_refused_total', labels) ?? 0;
}

/** A registration as east forwards it to west, with a deadline so many ms from west's now. */
async function forwarded(withinMs: number, boot?: string): Promise<{ identifier: string; body: string }> {
  const now = (await ask(certificates.of('east'), { method: 'GET', path: '/peer/v1/heartbeat' })).body;
  const identifier = world.identifier('west');
  const deadline = { boot: boot ?? now.boot, monoMs: now.monoMs + withinMs };
  return { identifier, body: JSON.stringify({ identifier, password: 'violet-otter-42', key: `client:${identifier}`, deadline }) };
}

function accounts(region: string, identifier: string): Promise<{ id: string }[]> {
  return world.sql<{ id: string }>(region, 'SELECT id FROM account WHERE identifier = $1', [identifier]);
}

/** Asked in every way that a body could be waited for, it is refused at once and counted. */
async function mustBeRefused(identity: Identity | undefined, headers: Record<string, string> = FROM_EAST): Promise<void> {
  const before = await refusals();
  for (const call of [{ withheldBytes: 200_000 }, { body: JSON.stringify({ identifier: 'ada@example.com' }) }]) {
    const answer = await ask(identity, { headers, ...call });
    expect(answer.status).toBe(403);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ type: 'urn:homeward:problem:peer-refused', title: expect.any(String), status: 403, detail: expect.any(String), instance: answer.headers['x-request-id'] });
  }
  expect(await refusals()).toBe(before + 2);
}

describe('the peer listener', () => {
  it("answers a peer that presents its own certificate, in its own name", async () => {
    const answer = await ask(certificates.of('east'), { body: JSON.stringify({ identifier: world.identifier('west') }) });
    expect(answer).toMatchObject({ status: 200, body: { known: false } });
  });

  it('refuses who presents no certificate, before the body is read', async () => mustBeRefused(undefined));

  it("refuses another deployment's certificate, before the body is read", async () => mustBeRefused(await certificates.ofAnotherDeployment('east')));

  it('refuses a certificate of this deployment that names no peer, before the body is read', async () => mustBeRefused(await certificates.signedHere('north')));

  it('refuses a certificate that names this very region, before the body is read', async () => {
    await mustBeRefused(certificates.of('west'));
    await mustBeRefused(certificates.of('west'), { 'homeward-from': 'west', 'homeward-to': 'west' });
  });

  it('refuses an expired certificate', async () => mustBeRefused(await certificates.signedHere('east', Date.now() - 500 * DAY_MS)));

  it('refuses a call that is meant for another region, or made in the name of another', async () => {
    const east = certificates.of('east');
    await mustBeRefused(east, { 'homeward-from': 'east', 'homeward-to': 'east' });
    await mustBeRefused(east, { 'homeward-from': 'west', 'homeward-to': 'west' });
    await mustBeRefused(east, { 'homeward-from': 'east' });
    await mustBeRefused(east, { 'homeward-to': 'west' });
  });

  it('leaves no trace of what it refused but the count, which /ops/status shows too', async () => {
    await world.settleAll();
    const before = await rowCounts(world);
    const { refusedPeerCalls } = (await world.ops('west', 'GET', '/ops/status')).body;
    await mustBeRefused(undefined);
    expect(await rowCounts(world)).toEqual(before);
    expect((await world.ops('west', 'GET', '/ops/status')).body.refusedPeerCalls).toBe(refusedPeerCalls + 2);
  });

  it("answers nothing of the public and the ops listener's", async () => {
    for (const path of ['/v1/route?identifier=ada@example.com', '/v1/degradation', '/ops/status', '/metrics', '/health/live', '/openapi.json']) {
      expect((await ask(certificates.of('east'), { method: 'GET', path })).status).toBe(404);
    }
  });
});

describe('a peer call that was stolen', () => {
  const path = '/peer/v1/accounts';

  it('is refused after its deadline, and where it was meant for an earlier start, and counted', async () => {
    const before = await refusals({ reason: 'late' });
    for (const [withinMs, boot] of [[-1], [60_000, 'an-earlier-start'], [-3_600_000]] as const) {
      const { identifier, body } = await forwarded(withinMs, boot);
      expect(await ask(certificates.of('east'), { path, body })).toMatchObject({ status: 503, body: { type: 'urn:homeward:problem:home-unavailable', home: 'west' } });
      expect(await accounts('west', identifier)).toEqual([]);
    }
    expect(await refusals({ reason: 'late' })).toBe(before + 3);
  });

  it('has no effect where its deadline passes while its password is hashed', async () => {
    let refusedAfterwards = false;
    // The first deadline that is not past on arrival leaves less time than a hash takes; one that leaves more is tried again.
    for (let [withinMs, tries] = [2, 0]; !refusedAfterwards && tries < 100; tries += 1) {
      const late = await refusals({ reason: 'late' });
      const { identifier, body } = await forwarded(withinMs);
      const { status } = await ask(certificates.of('east'), { path, body });
      const inTime = (await refusals({ reason: 'late' })) === late;
      expect(await accounts('west', identifier)).toHaveLength(status === 200 ? 1 : 0);
      refusedAfterwards = inTime && status === 503;
      withinMs = inTime ? 2 : withinMs + 2;
    }
    expect(refusedAfterwards).toBe(true);
  });

  it('is refused from anybody but the region that made it, and in any region but the one that it was made for', async () => {
    const { identifier, body } = await forwarded(60_000);
    const thieves: [Identity | undefined, string][] = [[undefined, 'certificate'], [await certificates.ofAnotherDeployment('east'), 'certificate'], [await certificates.signedHere('north'), 'stranger'], [certificates.of('west'), 'stranger'], [await certificates.signedHere('east', Date.now() - 500 * DAY_MS), 'expired']];
    for (const [identity, reason] of thieves) {
      const before = await refusals({ reason });
      expect((await ask(identity, { path, body })).status).toBe(403);
      expect(await refusals({ reason })).toBe(before + 1);
    }
    const [before, names] = [await refusals({ reason: 'other-region' }, 'east'), await refusals({ reason: 'other-name' }, 'east')];
    const toEast = { port: world.ports('east').peer, to: 'east', path, body };
    expect((await ask(certificates.of('west'), { ...toEast, headers: { 'homeward-from': 'west', 'homeward-to': 'west' } })).status).toBe(403);
    expect((await ask(certificates.of('west'), { ...toEast, headers: FROM_EAST })).status).toBe(403);
    expect([await refusals({ reason: 'other-region' }, 'east'), await refusals({ reason: 'other-name' }, 'east')]).toEqual([before + 1, names + 1]);
    for (const region of world.regions) expect(await accounts(region, identifier)).toEqual([]);
  });

  it('has no second effect where it is replayed within its deadline', async () => {
    const { identifier, body } = await forwarded(60_000);
    const first = await ask(certificates.of('east'), { path, body });
    expect(first).toMatchObject({ status: 200, body: { created: true, account: { identifier } } });
    await world.settleAll();
    const rows = await rowCounts(world);
    for (let time = 0; time < 3; time += 1) expect(await ask(certificates.of('east'), { path, body })).toMatchObject({ status: 200, body: { created: false, account: first.body.account } });
    expect(await rowCounts(world)).toEqual(rows);
  });
});

describe('a session that has ended at its origin', () => {
  it('is asked about once in a while, however often it is presented', async () => {
    const user = await world.register('east');
    const [token, other] = [await world.signIn('east', user), await world.signIn('east', user)];
    expect((await world.api('east', 'PUT', '/v1/password', { token: other, body: { current: user.password, next: `${user.password}-next` } })).status).toBe(204);
    await world.settleAll();
    const before = (await callsBetween(world))['east']!;
    const answers = await Promise.all(Array.from({ length: 100 }, async () => world.check('west', token)));
    for (let time = 0; time < 100; time += 1) answers.push(await world.check('west', token));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.type}`))).toEqual(new Set(['401 urn:homeward:problem:session-invalid']));
    // Those that came while the first was being answered, and one more for each 4.5 s.
    expect((await callsBetween(world))['east']! - before).toBeLessThanOrEqual(100 + 5);
  });
});

describe('each listener keeps to its own', () => {
  it('nothing of ops or peer is reachable on the public listener', async () => {
    const calls = await callsBetween(world);
    for (const path of ['/ops/status', '/ops/dead-letters', '/ops/conflicts', '/metrics', '/health/live', '/health/ready', '/peer/v1/heartbeat', '/peer/v1/credentials']) {
      for (const method of ['GET', 'POST']) {
        const answer = await world.api('west', method, path, { token: 'operator-token-of-tests', ...(method === 'POST' ? { body: {} } : {}) });
        expect(answer).toMatchObject({ status: 404, body: { type: 'urn:homeward:problem:not-found' } });
      }
    }
    expect(await callsBetween(world)).toEqual(calls);
  });

  it('nothing of public or peer is reachable on the ops listener', async () => {
    for (const path of ['/v1/route?identifier=ada@example.com', '/v1/profile', '/v1/degradation', '/openapi.json', '/docs', '/peer/v1/heartbeat']) {
      expect((await world.ops('west', 'GET', path)).status).toBe(404);
    }
  });

  it('nobody comes to the peer listener without TLS', async () => {
    await expect(call('GET', `http://127.0.0.1:${world.ports('west').peer}/peer/v1/heartbeat`)).rejects.toThrow();
  });
});

describe("a region's PostgreSQL, across the link", () => {
  /** A connection to west's from east's side of the link. */
  async function connect(user: string, ssl: pg.ConnectionConfig['ssl'], extra: object = {}): Promise<pg.Client> {
    const client = new pg.Client({ host: '127.0.0.1', port: portOnLink(world, 'east', 'west', 'postgres'), database: 'homeward', user, password: 'guess', ssl, connectionTimeoutMillis: 5_000, ...extra });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
  const tls = (identity?: Identity) => ({ ca: certificates.ca, servername: 'west', ...identity });

  it('lets a peer in with its own certificate only', async () => {
    const refused = { code: '28000' };
    await expect(connect('peer_east', false)).rejects.toMatchObject(refused);
    await expect(connect('peer_east', tls())).rejects.toMatchObject(refused);
    await expect(connect('peer_east', tls(certificates.of('west')))).rejects.toMatchObject(refused);
    await expect(connect('peer_east', tls(await certificates.signedHere('north')))).rejects.toMatchObject(refused);
    await expect(connect('peer_east', tls(await certificates.ofAnotherDeployment('east')))).rejects.toThrow();
    await expect(connect('homeward', tls(certificates.of('east')))).rejects.toMatchObject(refused);
    const password = new URL(databaseUrl(world.address, 'west')).password;
    await expect(connect('homeward', false, { password })).rejects.toMatchObject(refused);
    await expect(connect('peer_east', tls(certificates.of('east')), { replication: 'true' })).rejects.toMatchObject(refused);
    await (await connect('peer_east', tls(certificates.of('east')))).end();
  });

  it('lets it read what is published to it, and nothing else', async () => {
    const client = await connect('peer_east', tls(certificates.of('east')));
    try {
      expect((await client.query(`SELECT count(*) FROM heartbeat WHERE region = 'west'`)).rows).toEqual([{ count: '1' }]);
      const denied = { code: '42501' };
      for (const table of ['account', 'credential_epoch', 'outbox', 'outbox_batch', 'idempotency', 'route_table', 'dead_letter', 'conflict', 'redis_pending']) {
        await expect(client.query(`SELECT * FROM ${table}`)).rejects.toMatchObject(denied);
      }
      await expect(client.query(`UPDATE heartbeat SET slot = slot`)).rejects.toMatchObject(denied);
      await expect(client.query(`DELETE FROM password`)).rejects.toMatchObject(denied);
      await expect(client.query('CREATE TABLE mine (id int)')).rejects.toMatchObject(denied);
      await expect(client.query('CREATE PUBLICATION mine FOR TABLE account')).rejects.toMatchObject(denied);
    } finally {
      await client.end();
    }
  });
});

describe("a region's Kafka, across the link", () => {
  function client(identity: Identity | undefined, ssl = true) {
    return new kafkajs.Kafka({
      clientId: 'stranger', brokers: [`127.0.0.1:${portOnLink(world, 'east', 'west', 'kafka')}`], logLevel: kafkajs.logLevel.NOTHING, connectionTimeout: 2_000, requestTimeout: 3_000,
      retry: { retries: 0 }, ...(ssl ? { ssl: { ca: certificates.ca, servername: 'west', ...identity } } : {}),
    });
  }
  async function topicsSeen(identity: Identity | undefined, ssl = true): Promise<string[]> {
    const admin = client(identity, ssl).admin();
    try {
      await admin.connect();
      return await admin.listTopics();
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  it('lets a peer in with its own certificate only', async () => {
    expect(await topicsSeen(certificates.of('east'))).toEqual(expect.arrayContaining(['homeward.accounts', 'homeward.epochs', 'homeward.heartbeats']));
    await expect(topicsSeen(undefined)).rejects.toThrow();
    await expect(topicsSeen(undefined, false)).rejects.toThrow();
    await expect(topicsSeen(await certificates.ofAnotherDeployment('east'))).rejects.toThrow();
    // Of this deployment, and still not the peer: nothing is shown to it.
    expect(await topicsSeen(certificates.of('west'))).toEqual([]);
    expect(await topicsSeen(await certificates.signedHere('north'))).toEqual([]);
  });

  it('lets it read and never write', async () => {
    const own = client(certificates.of('east'));
    const producer = own.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await expect(producer.send({ topic: 'homeward.accounts', messages: [{ value: 'forged' }] })).rejects.toMatchObject({ type: 'TOPIC_AUTHORIZATION_FAILED' });
    await producer.disconnect();
    const admin = own.admin();
    await admin.connect();
    await expect(admin.createTopics({ topics: [{ topic: 'homeward.mine' }] })).rejects.toThrow();
    await expect(admin.deleteTopics({ topics: ['homeward.epochs'] })).rejects.toThrow();
    await admin.disconnect();
  });
});
