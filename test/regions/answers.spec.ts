import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ORIGIN } from './harness/deployment.js';
import { type Answer, call, eventually, sharedWorld } from './harness/index.js';
import { Money } from './harness/money.js';
import { RawConnection } from './harness/raw-connection.js';
import { holding, mustBeProblem } from './situations.js';

const world = sharedWorld();
const money = new Money(world);
const [east, west] = world.regions as [string, string];
/** A connection on which one answer is the last is closed as soon as that is out. */
const CLOSED_MS = 5_000;

/** One request as these lines, on a connection of its own. @returns what came, its headers in lower case */
async function answerTo(...lines: string[]): Promise<string> {
  const connection = RawConnection.to(world.ports(east).public).send([...lines, 'connection: close', '', ''].join('\r\n'));
  await connection.untilCutOff(CLOSED_MS);
  return connection.received.toLowerCase();
}

describe('every answer', () => {
  it.each([
    ['a preflight', 'OPTIONS /v1/profile HTTP/1.1', 'host: a', `origin: ${ORIGIN}`, 'access-control-request-method: PATCH'],
    ['a preflight of a stranger', 'OPTIONS /v1/profile HTTP/1.1', 'host: a', 'origin: https://stranger.example', 'access-control-request-method: PATCH'],
    ['OPTIONS without more', 'OPTIONS /v1/profile HTTP/1.1', 'host: a'],
    ['OPTIONS of the whole server', 'OPTIONS * HTTP/1.1', 'host: a'],
    ['a method that nobody knows', 'PROPFIND /v1/profile HTTP/1.1', 'host: a'],
    ['a path without its slash', 'GET *v1/profile HTTP/1.1', 'host: a'],
    ['an address in place of a path', 'GET http://a/v1/degradation HTTP/1.1', 'host: a'],
    ['HTTP/1.0', 'GET /v1/degradation HTTP/1.0'],
    ['no host', 'GET /v1/degradation HTTP/1.1'],
    ['an expectation that nobody knows', 'GET /v1/degradation HTTP/1.1', 'host: a', 'expect: the-unexpected'],
  ])('names its region and its request: %s', async (_, ...lines) => {
    const answer = await answerTo(...lines);
    expect(answer).toContain(`\r\nhomeward-region: ${east}\r\n`);
    expect(answer).toMatch(/\r\nx-request-id: [0-9a-f-]{36}\r\n/);
    if (/^http\/1\.1 [45]/.test(answer)) expect(answer).toContain('\r\ncontent-type: application/problem+json');
  });

  it('to a browser of an origin that is allowed may be read, refusals too, and to no other', async () => {
    const ask = (path: string, origin: string): Promise<Answer> => world.api(east, 'GET', path, { headers: { origin } });
    for (const path of ['/v1/degradation', '/v1/profile', '/nowhere']) {
      const { headers } = await ask(path, ORIGIN);
      expect(headers).toMatchObject({ 'access-control-allow-origin': ORIGIN, vary: expect.stringContaining('Origin') });
      for (const name of ['Homeward-Region', 'X-Request-Id', 'Homeward-Home', 'Homeward-Read', 'Homeward-Consistency', 'ETag', 'Location', 'Retry-After']) expect(headers['access-control-expose-headers']).toContain(name);
      expect((await ask(path, 'https://stranger.example')).headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect(await answerTo('OPTIONS /v1/profile HTTP/1.1', 'host: a', `origin: ${ORIGIN}`, 'access-control-request-method: PATCH', 'access-control-request-headers: if-match'))
      .toMatch(/^http\/1\.1 204[^]*access-control-allow-origin: https:\/\/app\.example[^]*access-control-allow-headers: if-match/);
  });

  it('with a session tells of its account, refusals too', async () => {
    const ada = await money.client(east);
    const token = ada.tokens[west]!;
    const refusals: [string, string, object, number, string][] = [
      ['GET', `/v1/transfers/${randomUUID()}`, {}, 404, 'not-found'],
      ['GET', '/v1/transfers?limit=0', {}, 400, 'invalid-request'],
      ['POST', `/v1/vouchers/${randomUUID()}/redeem`, {}, 404, 'not-found'],
      ['POST', '/v1/transfers', { key: 'much', body: { payee: (await world.register(west)).id, amount: 5 } }, 422, 'insufficient-funds'],
      ['PATCH', '/v1/profile', { body: { bio: 'x' }, headers: { 'if-match': '"x"' } }, 412, 'precondition-failed'],
      ['PUT', '/v1/password', { body: { current: 'not-the-password', next: 'violet-otter-42' } }, 401, 'invalid-credentials'],
    ];
    for (const [method, path, options, status, slug] of refusals) {
      const answer = await world.api(west, method, path, { token, ...options });
      mustBeProblem(answer, status, slug);
      expect(answer.headers, `${method} ${path}`).toMatchObject({ 'homeward-home': east, 'homeward-read': expect.stringMatching(/^(local|second)$/) });
    }
  });

  it('is marked stale, one to an edit too, where a sign-out in the other region can not be asked for', async () => {
    const ada = await money.client(east);
    await world.cut('refuse');
    await world.untilCutSeen();
    const other = await world.signIn(west, ada);
    const signedOut = await world.api(west, 'DELETE', '/v1/sessions/current', { token: other });
    const consistency = signedOut.headers['homeward-consistency'] as string;
    const stale = { token: ada.tokens[east]!, consistency };
    for (const path of ['/v1/sessions/current', '/v1/profile', '/v1/wallet', '/v1/notifications']) expect((await world.api(east, 'GET', path, stale)).headers['homeward-read'], path).toBe('stale');
    expect(await world.api(east, 'PATCH', '/v1/profile', { ...stale, body: { bio: 'x' } })).toMatchObject({ status: 200, headers: { 'homeward-home': east, 'homeward-read': 'stale' } });
  });

  it('to what comes while the region stops is the one that it would be otherwise', async () => {
    const release = await holding(world, east, 'LOCK TABLE account IN ACCESS EXCLUSIVE MODE');
    const body = JSON.stringify({ identifier: world.identifier(east), password: 'violet-otter-42' });
    const { public: port } = world.ports(east);
    const connection = RawConnection.to(port).send(`POST /v1/accounts HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    try {
      await eventually(async () => expect(await world.sql(east, `SELECT 1 FROM pg_locks WHERE relation = 'account'::regclass AND NOT granted`)).not.toHaveLength(0));
      const stopped = world.part(east, 'api', { state: 'down' });
      await eventually(async () => void (await expect(call('GET', `http://127.0.0.1:${port}/v1/degradation`)).rejects.toThrow()));
      connection.send('GET /v1/degradation HTTP/1.1\r\nhost: a\r\n\r\n');
      await release();
      await connection.untilCutOff(CLOSED_MS);
      await stopped;
    } finally {
      await world.part(east, 'api', { state: 'up' });
    }
    const [first, second, ...more] = connection.received.split(/(?=HTTP\/1\.1 \d{3} )/);
    expect(more).toEqual([]);
    expect(first).toMatch(/^HTTP\/1\.1 201 /);
    expect(second).toMatch(/^HTTP\/1\.1 200 [^]*homeward-region: east[^]*"operation":"register"/);
  });
});
