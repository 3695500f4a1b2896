import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { OPS_TOKEN, databaseUrl } from './harness/deployment.js';
import { type Answer, type User, call, eventually, sharedWorld } from './harness/index.js';
import { readMetrics } from './harness/metrics.js';

const world = sharedWorld();
/** Back within this of PostgreSQL's return (faults, 22), and a busy machine's margin. */
const BACK_MS = 10_000 + 2_000;
/** A heartbeat that Kafka does not store is given up after 2.4 s; a few of those and a busy machine. */
const DEGRADED_MS = 10_000;
const SERIES = [
  'homeward_request_seconds_count', 'homeward_request_seconds_bucket', 'homeward_peer_calls_refused_total', 'homeward_outbox_depth', 'homeward_outbox_oldest_seconds', 'homeward_redis_pending',
  'homeward_sessions_compared', 'homeward_dead_letters', 'homeward_conflicts', 'homeward_hashing_waiting', 'homeward_link_up', 'homeward_replication_lag_seconds', 'homeward_clock_skew_seconds',
  'homeward_events_pulled', 'homeward_subscription_streaming', 'homeward_subscription_alarm', 'homeward_subscription_mended', 'homeward_subscription_rebuilds', 'homeward_open_incidents', 'homeward_process_cpu_seconds_total',
];

const health = (region: string, which: string): Promise<Answer> => call('GET', `http://127.0.0.1:${world.ports(region).ops}/health/${which}`);
const mustBeUnavailable = (answer: Answer, part: string): void => {
  expect(answer, answer.text).toMatchObject({ status: 503, body: { type: 'urn:homeward:problem:unavailable', part } });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
};

/** Everything that the services of all regions have logged. */
function logs(region?: string): string {
  const directory = join(world.address.data, 'logs');
  return readdirSync(directory).filter((name) => /-api\.log(\.1)?$/.test(name) && (region === undefined || name.startsWith(`${region}-`))).map((name) => readFileSync(join(directory, name), 'utf8')).join('');
}

/** While parts of east are away; they are back afterwards, so that a failure here is not everybody's. */
async function during(faults: readonly Promise<unknown>[], parts: readonly string[], work: () => Promise<unknown>): Promise<void> {
  try {
    await Promise.all(faults);
    await work();
  } finally {
    await Promise.all(parts.map((part) => world.part('east', part, { state: 'up' })));
  }
}

async function bootOf(region: string): Promise<unknown> {
  return world.sql(region, `SELECT body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [region]);
}

describe('the ops API', () => {
  it('needs the operator token, but for health and metrics', async () => {
    const at = `http://127.0.0.1:${world.ports('east').ops}`;
    const calls: [string, string][] = [['GET', '/ops/status'], ['GET', '/ops/dead-letters'], ['GET', '/ops/conflicts'], ['POST', '/ops/dead-letters/01a1fdb5-29c2-7119-a7c7-b7f7f6818842/replay'],
      ['POST', '/ops/audits'], ['GET', '/ops/audits/01a1fdb5-29c2-7119-a7c7-b7f7f6818842'], ['POST', '/ops/repairs'], ['POST', '/ops/copies']];
    for (const [method, path] of calls) {
      for (const token of [undefined, 'wrong', `${OPS_TOKEN}x`, OPS_TOKEN.slice(1)]) {
        expect(await call(method, at + path, token === undefined ? {} : { token })).toMatchObject({ status: 401, headers: { 'content-type': expect.stringContaining('application/problem+json'), 'homeward-region': 'east' } });
      }
    }
    for (const path of ['/health/live', '/health/ready', '/metrics']) expect((await call('GET', at + path)).status).toBe(200);
    expect((await world.ops('east', 'GET', '/ops/dead-letters?limit=0')).status).toBe(400);
    expect((await world.ops('east', 'GET', '/ops/conflicts?limit=200')).body).toEqual({ items: expect.any(Array), next: null });
  });

  it('shows the status as the contract lists it', async () => {
    await world.settleAll();
    const { body } = await world.ops('east', 'GET', '/ops/status');
    expect(body).toMatchObject({
      region: 'east', routes: { version: 1, digest: expect.any(String) }, outbox: { depth: 0, oldestUnconfirmedMs: expect.any(Number) }, redis_pending: { rows: 0 }, queuedTransfers: 0, deadLetters: expect.any(Number), conflicts: expect.any(Number),
      streams: { heads: { accounts: expect.any(Array), epochs: expect.any(Array) } },
      peers: { west: { link: 'up', heartbeatAgeMs: { http: expect.any(Number), accounts: expect.any(Number), database: expect.any(Number) }, lagMs: { accounts: expect.any(Number), database: expect.any(Number) }, applied: { accounts: expect.any(Array), epochs: expect.any(Array) }, clockSkewMs: expect.any(Number) } },
    });
    await world.clock('west', 3_000);
    await eventually(async () => {
      const { clockSkewMs, clockSkewed } = (await world.ops('east', 'GET', '/ops/status')).body.peers.west;
      expect(clockSkewed).toBe(true);
      expect(Math.abs(clockSkewMs - 3_000)).toBeLessThan(400);
    });
  });

  it("answers /metrics in Prometheus' text format, with a series for each thing that is watched", async () => {
    await world.register('west', 'east');
    const answer = await call('GET', `http://127.0.0.1:${world.ports('east').ops}/metrics`);
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = readMetrics(answer.text);
    const names = new Set(samples.map(({ name }) => name));
    for (const name of SERIES) expect([...names], name).toContain(name);
    expect(samples.every(({ labels }) => labels['region'] === 'east')).toBe(true);
    expect(samples).toContainEqual({ name: 'homeward_link_up', labels: { peer: 'west', region: 'east' }, value: 1 });
    expect(samples.find(({ name, labels }) => name === 'homeward_request_seconds_count' && labels['route'] === 'POST /v1/accounts' && labels['status'] === '201')!.value).toBeGreaterThan(0);
  });
});

describe('readiness', () => {
  it('stays 200 without Kafka, Redis and peers, which are shown as degraded', async () => {
    await eventually(async () => expect((await health('east', 'ready')).body.details).toMatchObject({ postgres: { status: 'up' }, redis: { status: 'up' }, kafka: { status: 'up' }, 'peer-west': { status: 'up' } }));
    await during([world.part('east', 'redis', { state: 'down' }), world.part('east', 'kafka', { state: 'down', signal: 'SIGKILL' }), world.cut('refuse')], ['redis', 'kafka'], () => eventually(async () => {
      const answer = await health('east', 'ready');
      expect(answer.status).toBe(200);
      expect(answer.body.details).toMatchObject({ postgres: { status: 'up' }, redis: { status: 'degraded' }, kafka: { status: 'degraded' }, 'peer-west': { status: 'degraded' } });
    }, DEGRADED_MS));
    await world.heal();
    await eventually(async () => expect((await health('east', 'ready')).body.details).toMatchObject({ redis: { status: 'up' }, kafka: { status: 'up' }, 'peer-west': { status: 'up' } }), 30_000);
    await world.mustConverge();
  });

  it('faults 22: is 503 without PostgreSQL, and 200 within 10 s of its return without restarting the service', async () => {
    const user = await world.register('east');
    const token = await world.signIn('east', user);
    await world.settleAll();
    const boot = await bootOf('east');
    await during([world.part('east', 'postgres', { state: 'down', signal: 'SIGKILL' })], ['postgres'], async () => {
      await eventually(async () => expect((await health('east', 'ready')).status).toBe(503));
      expect((await health('east', 'live')).status).toBe(200);
      mustBeUnavailable(await world.api('east', 'POST', '/v1/accounts', { body: { identifier: world.identifier('east'), password: 'violet-otter-42' } }), 'postgres');
      mustBeUnavailable(await world.api('east', 'PATCH', '/v1/profile', { token, body: { bio: 'x' } }), 'postgres');
      expect((await world.api('east', 'GET', `/v1/route?identifier=${user.identifier}`)).status).toBe(200);
    });
    await eventually(async () => expect((await health('east', 'ready')).status).toBe(200), BACK_MS);
    await eventually(() => world.register('east'));
    await world.mustConverge();
    expect(await bootOf('east')).toEqual(boot);
  });
});

describe('faults 26: without Redis', () => {
  it('calls with a session and sign-in answer 503, sign-out is taken and holds afterwards, registration, route and announcements go on', async () => {
    const user = await world.register('east');
    const [ended, kept] = [await world.signIn('east', user), await world.signIn('east', user)];
    // Frozen, not killed: what it knows is there again afterwards, and must not win.
    await during([world.part('east', 'redis', { state: 'frozen' })], ['redis'], async () => {
      await eventually(async () => mustBeUnavailable(await world.check('east', kept), 'redis'));
      mustBeUnavailable(await world.api('east', 'GET', '/v1/profile', { token: kept }), 'redis');
      mustBeUnavailable(await world.trySignIn('east', user), 'redis');
      expect((await world.api('east', 'DELETE', '/v1/sessions/current', { token: ended })).status).toBe(204);
      // Whatever becomes of this process: the ending lies beside the sign-out until Redis has it.
      expect((await world.ops('east', 'GET', '/ops/status')).body.redis_pending.rows).toBeGreaterThan(0);
      const late = await world.register('east');
      expect(await world.api('east', 'GET', `/v1/route?identifier=${late.identifier}`)).toMatchObject({ status: 200, body: { home: 'east' } });
      expect((await world.api('east', 'GET', '/v1/announcements')).status).toBe(200);
      await eventually(async () => expect(await world.sql('west', 'SELECT 1 FROM account WHERE id = $1', [late.id])).toHaveLength(1));
    });
    await eventually(async () => expect((await world.check('east', kept)).status).toBe(200));
    expect(await world.check('east', ended)).toMatchObject({ status: 401, body: { type: 'urn:homeward:problem:session-invalid' } });
    expect((await world.check('west', ended)).status).toBe(401);
    await world.mustConverge();
  });
});

describe('logs', () => {
  it('carry the id of the request into the log of the peer that worked for it', async () => {
    const id = `traced-${Date.now()}`;
    const holder = new pg.Client({ connectionString: databaseUrl(world.address, 'west') });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE account IN ACCESS EXCLUSIVE MODE');
    const answer = await world.api('east', 'POST', '/v1/accounts', { body: { identifier: world.identifier('west'), password: 'violet-otter-42' }, headers: { 'x-request-id': id } });
    await holder.end();
    expect(answer).toMatchObject({ status: 503, headers: { 'x-request-id': id }, body: { instance: id } });
    await eventually(() => {
      for (const region of world.regions) {
        const lines = logs(region).split('\n').filter((line) => line.includes(id)).map((line) => JSON.parse(line));
        expect(lines, region).toContainEqual(expect.objectContaining({ region, requestId: id }));
      }
    });
    const odd = await world.api('east', 'GET', '/v1/degradation', { headers: { 'x-request-id': 'no spaces, please' } });
    expect(odd.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    await world.mustConverge();
  });

  it('never hold a password, a hash, a token or a plain identifier, whatever went wrong', async () => {
    const secrets = [OPS_TOKEN];
    const note = (user: User): User => {
      secrets.push(user.identifier, user.password);
      return user;
    };
    const phone = world.identifier('east', 'phone');
    const [east, west] = [note(await world.register('east')), note(await world.register('west', 'east', { displayName: 'Ada' }))];
    await world.api('east', 'POST', '/v1/accounts', { body: { identifier: phone, password: 'violet-otter-42' } });
    for (const region of world.regions) for (const user of [east, west]) {
      secrets.push(await world.signIn(region, user));
      await world.trySignIn(region, { ...user, password: 'wrong-otter-43' });
      await world.api(region, 'POST', '/v1/accounts', { body: { identifier: user.identifier, password: 'violet-otter-42' } });
      await world.api(region, 'POST', '/v1/accounts', { raw: `{"identifier": "${user.identifier}", "password": "violet-otter-42"` });
    }
    await world.cut('refuse');
    await world.api('east', 'POST', '/v1/accounts', { body: { identifier: world.identifier('west'), password: 'violet-otter-42' } });
    await world.trySignIn('east', { ...west, password: 'wrong-otter-43' });
    await world.heal();
    await world.settleAll();
    const text = logs();
    expect(text.length).toBeGreaterThan(1_000);
    for (const secret of [...secrets, phone, 'violet-otter-42', 'wrong-otter-43', '@example.com', '$argon2']) expect(text.includes(secret), secret).toBe(false);
  });
});

describe('a graceful stop', () => {
  it('lets every request in flight end with its answer, and what was acknowledged is there after the next start', async () => {
    await world.settleAll();
    const asked = Array.from({ length: 24 }, (_, index) => ({ identifier: world.identifier(index % 4 === 0 ? 'west' : 'east'), password: 'violet-otter-42' }));
    const answers = asked.map(async (body) => ({ body, answer: await world.api('east', 'POST', '/v1/accounts', { body }) }));
    const ended = Promise.all(answers);
    ended.catch(() => undefined);
    try {
      await eventually(async () => expect((await world.ops('east', 'GET', '/ops/status')).body.hashing.waiting).toBeGreaterThan(0));
      await world.part('east', 'api', { state: 'down' });
    } finally {
      await world.part('east', 'api', { state: 'up' });
    }
    for (const { answer } of await ended) expect([201, 503], answer.text).toContain(answer.status);
    const done = (await ended).filter(({ answer }) => answer.status === 201);
    expect(done.length).toBeGreaterThan(0);
    await world.mustConverge();
    for (const { body, answer } of done) expect(await world.sql('east', 'SELECT id FROM account WHERE identifier = $1', [body.identifier])).toEqual([{ id: answer.body.id }]);
  });
});
