import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, call, sharedWorld } from './harness/index.js';
import { leavesNoTrace } from './harness/traces.js';

const world = sharedWorld();
const REGION = 'east';
/** Of an account whose home is elsewhere, so that whatever is passed on would show. */
const AWAY = 'west';
const PASSWORD = 'violet-otter-42';
let user: User;
let token: string;

beforeAll(async () => {
  user = await world.register(AWAY, REGION, { displayName: 'Ada' });
  token = await world.signIn(REGION, user);
  await world.settleAll();
});

/** A whole problem of this kind, with the headers that every answer has. */
function mustBeProblem(answer: Answer, status: number, slug: string): void {
  expect(answer, answer.text).toMatchObject({ status });
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(answer.headers['homeward-region']).toBe(REGION);
  expect(answer.headers['x-request-id']).toEqual(expect.any(String));
  expect(answer.body).toMatchObject({ type: `urn:homeward:problem:${slug}`, title: expect.any(String), status, detail: expect.any(String), instance: answer.headers['x-request-id'] });
  if (slug === 'invalid-request') expect(answer.body.errors).toEqual(expect.arrayContaining([{ path: expect.any(String), message: expect.any(String) }]));
}

const post = (body: unknown, options: object = {}): Promise<Answer> => world.api(REGION, 'POST', '/v1/accounts', { body, ...options });
const raw = (text: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> => world.api(REGION, 'POST', '/v1/accounts', { raw: text, headers });
const patch = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> => world.api(REGION, 'PATCH', '/v1/profile', { token, body, headers });
const away = (): string => world.identifier(AWAY);

describe('a body', () => {
  leavesNoTrace(world);

  it.each([['cut off', '{"identifier": "a@example.com", "pass'], ['nothing', ''], ['words', 'hello'], ['a number', '17'], ['null', 'null'], ['a list', '[]'], ['two values', '{} {}'], ['a poisoned prototype', '{"__proto__": {"x": 1}, "identifier": "a@example.com", "password": "violet-otter-42"}']])(
    'that is malformed JSON or no object is refused: %s', async (_, text) => {
      mustBeProblem(await raw(text), 400, 'invalid-request');
      if (text !== '') mustBeProblem(await world.api(REGION, 'PATCH', '/v1/profile', { token, raw: text }), 400, 'invalid-request');
    });

  it('of more than 64 KiB is refused with 413, and one of exactly 64 KiB is read', async () => {
    const padded = (bytes: number): string => {
      const whole = JSON.stringify({ identifier: 'not-an-address', password: PASSWORD });
      return whole + ' '.repeat(bytes - whole.length);
    };
    mustBeProblem(await raw(padded(65_537)), 413, 'body-too-large');
    mustBeProblem(await world.api(REGION, 'POST', '/v1/sessions', { raw: padded(1_000_000) }), 413, 'body-too-large');
    mustBeProblem(await raw(padded(65_536)), 400, 'invalid-request');
  });

  it('with unknown members is refused', async () => {
    mustBeProblem(await post({ identifier: away(), password: PASSWORD, admin: true }), 400, 'invalid-request');
    mustBeProblem(await post({ identifier: away(), password: PASSWORD, profile: { displayName: 'Ada', role: 'admin' } }), 400, 'invalid-request');
    mustBeProblem(await world.api(REGION, 'POST', '/v1/sessions', { body: { ...user, remember: true } }), 400, 'invalid-request');
    mustBeProblem(await world.api(REGION, 'PUT', '/v1/password', { token, body: { current: user.password, next: PASSWORD, force: true } }), 400, 'invalid-request');
    mustBeProblem(await patch({ nickname: 'Ada' }), 400, 'invalid-request');
  });

  it('with members of a wrong type, or without some, is refused', async () => {
    for (const identifier of [undefined, null, 17, true, [], {}, ['a@example.com']]) mustBeProblem(await post({ identifier, password: PASSWORD }), 400, 'invalid-request');
    for (const password of [undefined, null, 12_345_678, {}, ['violet-otter-42']]) mustBeProblem(await post({ identifier: away(), password }), 400, 'invalid-request');
    for (const profile of [null, 'Ada', [], { displayName: 17 }, { attributes: ['x'] }]) mustBeProblem(await post({ identifier: away(), password: PASSWORD, profile }), 400, 'invalid-request');
    mustBeProblem(await world.api(REGION, 'PUT', '/v1/password', { token, body: { current: user.password } }), 400, 'invalid-request');
  });

  it('that is not UTF-8 is refused, wherever in it', async () => {
    const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
    mustBeProblem(await raw(latin(`{"identifier": "${away()}", "password": "violet-\u00e9-otter"}`)), 400, 'invalid-request');
    mustBeProblem(await world.api(REGION, 'PATCH', '/v1/profile', { token, raw: latin('{"displayName": "Ren\u00e9"}') }), 400, 'invalid-request');
    mustBeProblem(await raw(Buffer.from(`{"identifier": "${away()}", "password": "violet-otter-42"}`, 'utf16le')), 400, 'invalid-request');
  });

  it('that is empty is none, whatever its type', async () => {
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'nonsense', '']) {
      const none = { token, headers: { 'content-type': type, 'content-length': '0' } };
      mustBeProblem(await world.api(REGION, 'POST', `/v1/notifications/${randomUUID()}/read`, none), 404, 'not-found');
      mustBeProblem(await world.api(REGION, 'POST', '/v1/accounts', none), 400, 'invalid-request');
    }
  });

  it('of another media type is refused with 415, forms included', async () => {
    const json = JSON.stringify({ identifier: away(), password: PASSWORD });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml', 'application/cbor', 'nonsense']) {
      mustBeProblem(await raw(json, { 'content-type': type }), 415, 'unsupported-media-type');
    }
    mustBeProblem(await raw(`identifier=${encodeURIComponent(away())}&password=${PASSWORD}`, { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'unsupported-media-type');
  });
});

describe('an identifier', () => {
  leavesNoTrace(world);

  it.each(['', ' ', '+', '+1', '+999123456789', '+12025550100123456789', '2025550100', '+1 202 CALL NOW', '+1202555', '++12025550100', '+1202555010\u0000'])(
    'that is no possible phone number is refused: %j', async (identifier) => {
      mustBeProblem(await post({ identifier, password: PASSWORD }), 400, 'invalid-request');
      mustBeProblem(await world.api(REGION, 'POST', '/v1/sessions', { body: { identifier, password: PASSWORD } }), 400, 'invalid-request');
      mustBeProblem(await world.api(REGION, 'GET', `/v1/route?identifier=${encodeURIComponent(identifier)}`), 400, 'invalid-request');
    });

  it.each(['a@', '@example.com', 'a@b', 'a b@example.com', 'a@exa mple.com', 'a@@example.com', 'a..b@example.com', 'a@-x.com', 'a@127.0.0.1', `${'x'.repeat(65)}@example.com`, `a@${'x'.repeat(64)}.com`, 'a\u0000b@example.com', '\u200ba@example.com', '\ud800@example.com', 'a@example.com\r\nbcc: b@example.com', 'x'.repeat(1_025)])(
    'that is no e-mail address is refused: %j', async (identifier) => {
      mustBeProblem(await post({ identifier, password: PASSWORD }), 400, 'invalid-request');
      mustBeProblem(await world.api(REGION, 'POST', '/v1/sessions', { body: { identifier, password: PASSWORD } }), 400, 'invalid-request');
    });

  it('is missed by GET /v1/route, and asked for once', async () => {
    mustBeProblem(await world.api(REGION, 'GET', '/v1/route'), 400, 'invalid-request');
    mustBeProblem(await world.api(REGION, 'GET', '/v1/route?identifier=a@example.com&identifier=b@example.com'), 400, 'invalid-request');
    mustBeProblem(await world.api(REGION, 'GET', '/v1/route?identifier=a@example.com&x=1'), 400, 'invalid-request');
  });
});

describe('a password', () => {
  leavesNoTrace(world);

  it.each([['of 10,000 characters', 'x'.repeat(10_000)], ['of 257 characters', 'y7'.repeat(128) + 'z'], ['of 7 characters', 'k3-v9.q'], ['among the commonest', 'password123'], ['with a lone surrogate', 'violet-\ud800-otter']])(
    '%s is refused with 422 wherever the home is, without asking it', async (_, password) => {
      for (const home of world.regions) mustBeProblem(await post({ identifier: world.identifier(home), password }), 422, 'weak-password');
      mustBeProblem(await world.api(REGION, 'PUT', '/v1/password', { token, body: { current: user.password, next: password } }), 422, 'weak-password');
    });

  it('made of the identifier is refused with 422', async () => {
    const identifier = away();
    mustBeProblem(await post({ identifier, password: identifier }), 422, 'weak-password');
  });

  it('that nobody can have is refused at sign-in without asking the home', async () => {
    for (const password of ['x'.repeat(10_000), 'violet-\ud800-otter', '']) {
      mustBeProblem(await world.trySignIn(REGION, { ...user, password }), 400, 'invalid-request');
      mustBeProblem(await world.trySignIn(REGION, { identifier: away(), password }), 400, 'invalid-request');
      mustBeProblem(await world.api(REGION, 'PUT', '/v1/password', { token, body: { current: password, next: PASSWORD } }), 400, 'invalid-request');
    }
  });
});

describe('a header', () => {
  leavesNoTrace(world);

  it('with a forged, truncated or missing session id is refused with 401', async () => {
    const [region, id, mac] = token.split('.') as [string, string, string];
    const flip = (text: string): string => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
    const forged = ['', 'x', token.slice(0, -1), token.slice(0, 40), `${token}A`, `${AWAY}.${id}.${mac}`, `north.${id}.${mac}`, `${region}.${flip(id)}.${mac}`, `${region}.${id}.${flip(mac)}`, `${region}.${id}`, `${region}..`, '../../etc/passwd', 'x'.repeat(8_000)];
    for (const wrong of forged) {
      mustBeProblem(await world.check(REGION, wrong), 401, 'session-invalid');
      mustBeProblem(await world.api(REGION, 'DELETE', '/v1/sessions/current', { token: wrong }), 401, 'session-invalid');
      mustBeProblem(await world.api(REGION, 'DELETE', '/v1/sessions', { token: wrong }), 401, 'session-invalid');
    }
    mustBeProblem(await world.api(REGION, 'GET', '/v1/profile'), 401, 'session-invalid');
    mustBeProblem(await world.api(REGION, 'GET', '/v1/profile', { headers: { authorization: `Basic ${token}` } }), 401, 'session-invalid');
  });

  it('with a session behind more than one space is read as with one', async () => {
    for (const authorization of [`Bearer  ${token}`, `bearer   ${token}`]) expect((await world.api(REGION, 'GET', '/v1/profile', { headers: { authorization } })).status).toBe(200);
  });

  it.each(['', ' ', 'two words', 'x'.repeat(129), 'caf\u00e9'])('with an invalid idempotency key is refused: %j', async (key) => {
    mustBeProblem(await post({ identifier: away(), password: PASSWORD }, { key }), 400, 'invalid-request');
    mustBeProblem(await world.api(REGION, 'PUT', '/v1/password', { token, key, body: { current: user.password, next: PASSWORD } }), 400, 'invalid-request');
  });

  it.each(['', 'x', 'e30', 'x'.repeat(4_000), '{"account":"me"}'])('with a consistency token that no region made is ignored: %j', async (consistency) => {
    expect(await world.api(REGION, 'GET', '/v1/profile', { token, consistency })).toMatchObject({ status: 200, headers: { 'homeward-read': 'local' } });
  });

  it('that claims to be forwarded for another address does not count without trusted proxies', async () => {
    const attempt = (address: number): Promise<Answer> => world.trySignIn(REGION, { identifier: unknown, password: PASSWORD }, { headers: { 'x-forwarded-for': `192.0.2.${address}`, forwarded: `for=192.0.2.${address}` } });
    const unknown = world.identifier(REGION);
    for (let address = 1; address <= 10; address += 1) mustBeProblem(await attempt(address), 401, 'invalid-credentials');
    const eleventh = await attempt(11);
    mustBeProblem(eleventh, 429, 'too-many-attempts');
    expect(Number(eleventh.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('with an If-Match that names nothing here is answered 412', async () => {
    for (const tag of ['"x"', 'x', '', 'W/"x"', '"a", "b"', '"', ',']) mustBeProblem(await patch({ bio: 'new' }, { 'if-match': tag }), 412, 'precondition-failed');
  });
});

describe('a profile', () => {
  leavesNoTrace(world);

  it.each<[string, object]>([
    ['a name of 101 characters', { displayName: 'x'.repeat(101) }], ['a blank name', { displayName: ' ' }], ['a name with NUL', { displayName: 'a\u0000b' }], ['a name with a lone surrogate', { displayName: '\udc00' }],
    ['a bio of 1,001 characters', { bio: 'x'.repeat(1_001) }], ['a locale that is none', { locale: 'not a locale' }], ['an avatar over http', { avatarUrl: 'http://example.com/a.png' }], ['a script as avatar', { avatarUrl: 'javascript:alert(1)' }],
    ['33 attributes', { attributes: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`k${index}`, 'v'])) }], ['nested attributes', { attributes: { a: { b: 'c' } } }], ['an attribute with NUL', { attributes: { a: '\u0000' } }],
  ])('with %s is refused', async (_, body) => {
    mustBeProblem(await patch(body), 400, 'invalid-request');
    mustBeProblem(await post({ identifier: away(), password: PASSWORD, profile: body }), 400, 'invalid-request');
  });
});

describe('a path', () => {
  leavesNoTrace(world);

  it('that is not there is answered 404, and so is a method that it does not have', async () => {
    const nowhere: [string, string][] = [['GET', '/'], ['GET', '/v1'], ['GET', '/v2/profile'], ['GET', '/v1/accounts'], ['GET', '/v1/accounts/x'], ['PUT', '/v1/profile'], ['POST', '/v1/profile'], ['DELETE', '/v1/password'], ['POST', '/v1/route'], ['POST', '/v1/wallet'], ['DELETE', '/v1/transfers'], ['GET', '/v1/vouchers/x/redeem'], ['GET', '/%2e%2e/etc/passwd'], ['GET', '/v1/profile/%00']];
    for (const [method, path] of nowhere) mustBeProblem(await world.api(REGION, method, path, { token, ...(method === 'POST' || method === 'PUT' ? { body: {} } : {}) }), 404, 'not-found');
  });

  it('answers HEAD as GET without a body', async () => {
    const answer = await call('HEAD', `http://127.0.0.1:${world.ports(REGION).public}/v1/degradation`);
    expect(answer).toMatchObject({ status: 200, text: '', headers: { 'homeward-region': REGION } });
  });
});
