import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CallOptions } from './harness/call.js';
import { type Answer, type User, sharedWorld } from './harness/index.js';

const world = sharedWorld();
const REGION = 'east';
const METHODS = new Set(['get', 'post', 'put', 'patch', 'delete']);
/** The contract's public calls. */
const CALLS = [
  'POST /v1/accounts', 'POST /v1/sessions', 'GET /v1/sessions/current', 'DELETE /v1/sessions/current', 'DELETE /v1/sessions',
  'GET /v1/profile', 'PATCH /v1/profile', 'PUT /v1/password', 'GET /v1/route', 'GET /v1/degradation',
  'GET /v1/wallet', 'POST /v1/transfers', 'GET /v1/transfers', 'GET /v1/transfers/{id}', 'POST /v1/transfers/{id}/cancel', 'GET /v1/vouchers', 'POST /v1/vouchers/{id}/redeem',
  'GET /v1/notifications', 'POST /v1/notifications/{id}/read', 'GET /v1/announcements',
];
/** The contract's table of errors, of those that these calls can answer. */
const SLUGS: Record<string, readonly string[]> = {
  400: ['invalid-request', 'idempotency-key-required'], 401: ['invalid-credentials', 'session-invalid', 'session-origin-unavailable'], 404: ['not-found', 'payee-unknown'], 409: ['identifier-taken', 'idempotency-key-reused', 'transfer-final'], 412: ['precondition-failed'],
  413: ['body-too-large'], 415: ['unsupported-media-type'], 422: ['weak-password', 'insufficient-funds'], 429: ['too-many-attempts'], 503: ['home-unavailable', 'outcome-unknown', 'unavailable', 'overloaded'],
};
const WITH_SESSION = new Set(['GET /v1/sessions/current', 'DELETE /v1/sessions/current', 'DELETE /v1/sessions', 'GET /v1/profile', 'PATCH /v1/profile', 'PUT /v1/password',
  'GET /v1/wallet', 'POST /v1/transfers', 'GET /v1/transfers', 'GET /v1/transfers/{id}', 'POST /v1/transfers/{id}/cancel', 'GET /v1/vouchers', 'POST /v1/vouchers/{id}/redeem',
  'GET /v1/notifications', 'POST /v1/notifications/{id}/read']);

let document: any;
let user: User;
let token: string;
const ajv = new Ajv2020({ strict: false, allErrors: true });
(formats as unknown as (ajv: Ajv2020) => void)(ajv);
const validators = new Map<string, ValidateFunction>();

beforeAll(async () => {
  document = (await world.api(REGION, 'GET', '/openapi.json')).body;
  user = await world.register('west', REGION, { displayName: 'Ada', attributes: { team: 'blue' } });
  token = await world.signIn(REGION, user);
});

function operation(name: string): any {
  const [method, path] = name.split(' ') as [string, string];
  return document.paths[path]?.[method.toLowerCase()];
}

function mustFit(schema: object, value: unknown, what: string): void {
  const validate = validators.get(what) ?? ajv.compile(schema);
  validators.set(what, validate);
  if (!validate(value)) throw new Error(`${what}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
}

/** Asks, and holds the answer against what the document says of its status. */
async function ask(name: string, options: CallOptions & { query?: string; id?: string } = {}): Promise<Answer> {
  const [method, path] = name.split(' ') as [string, string];
  const answer = await world.api(REGION, method, path.replace('{id}', options.id ?? '') + (options.query ?? ''), options);
  const documented = operation(name).responses[answer.status];
  if (documented === undefined) throw new Error(`${name} answered ${answer.status}, which is not documented: ${answer.text}`);
  const [type, content] = Object.entries<any>(documented.content ?? {})[0] ?? [];
  if (type === undefined) expect(answer.text).toBe('');
  else {
    expect(answer.headers['content-type']).toMatch(new RegExp(`^${type.replace('+', '\\+')}(;|$)`));
    mustFit(content.schema, answer.body, `${name} ${answer.status}`);
  }
  for (const header of Object.keys(documented.headers)) expect(answer.headers, `${name} ${answer.status}`).toHaveProperty(header.toLowerCase());
  return answer;
}

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1 and names the contract, its version and its licence', async () => {
    const answer = await world.api(REGION, 'GET', '/openapi.json');
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(document).toMatchObject({ openapi: expect.stringMatching(/^3\.1\./), info: { title: 'Homeward', version: '1', license: { name: 'Apache-2.0' } } });
    expect((await world.api('west', 'GET', '/openapi.json')).body).toEqual(document);
  });

  it('lists exactly the public calls that exist', async () => {
    const listed = Object.entries<any>(document.paths).flatMap(([path, methods]) => Object.keys(methods).filter((method) => METHODS.has(method)).map((method) => `${method.toUpperCase()} ${path}`));
    expect(listed.sort()).toEqual([...CALLS].sort());
    expect(new Set(CALLS.map((name) => operation(name).operationId)).size).toBe(CALLS.length);
  });

  it('says which calls take a session', () => {
    expect(document.components.securitySchemes).toEqual({ session: expect.objectContaining({ type: 'http', scheme: 'bearer' }) });
    for (const name of CALLS) expect(operation(name).security, name).toEqual(WITH_SESSION.has(name) ? [{ session: [] }] : undefined);
  });

  it('documents every error as application/problem+json with the slugs of the contract', () => {
    for (const name of CALLS) for (const [status, answer] of Object.entries<any>(operation(name).responses)) {
      expect(Object.keys(answer.headers), `${name} ${status}`).toEqual(expect.arrayContaining(['Homeward-Region', 'X-Request-Id']));
      if (Number(status) < 400) continue;
      expect(Object.keys(answer.content), `${name} ${status}`).toEqual(['application/problem+json']);
      const slugs = answer.content['application/problem+json'].schema.properties.type.enum.map((type: string) => type.replace('urn:homeward:problem:', ''));
      expect(SLUGS[status], `${name} ${status}`).toEqual(expect.arrayContaining(slugs));
      expect('Retry-After' in answer.headers, `${name} ${status}`).toBe(['429', '503'].includes(status));
    }
    const listed = (name: string): string[] => Object.values<any>(operation(name).responses).flatMap(({ content }) => content?.['application/problem+json']?.schema.properties.type.enum ?? []);
    for (const slug of ['identifier-taken', 'weak-password', 'home-unavailable', 'outcome-unknown']) expect(listed('POST /v1/accounts')).toContain(`urn:homeward:problem:${slug}`);
    for (const slug of ['invalid-credentials', 'too-many-attempts', 'home-unavailable']) expect(listed('POST /v1/sessions')).toContain(`urn:homeward:problem:${slug}`);
    for (const slug of ['session-invalid', 'session-origin-unavailable']) expect(listed('GET /v1/sessions/current')).toContain(`urn:homeward:problem:${slug}`);
    for (const slug of ['invalid-credentials', 'weak-password', 'home-unavailable', 'outcome-unknown']) expect(listed('PUT /v1/password')).toContain(`urn:homeward:problem:${slug}`);
    expect(listed('PATCH /v1/profile')).toContain('urn:homeward:problem:precondition-failed');
    for (const slug of ['idempotency-key-required', 'payee-unknown', 'insufficient-funds', 'idempotency-key-reused', 'home-unavailable']) expect(listed('POST /v1/transfers')).toContain(`urn:homeward:problem:${slug}`);
    expect(listed('POST /v1/transfers/{id}/cancel')).toContain('urn:homeward:problem:transfer-final');
  });

  it('documents bodies and parameters in schemas that are JSON Schema', () => {
    const bodies = { 'POST /v1/accounts': ['application/json'], 'POST /v1/sessions': ['application/json'], 'PUT /v1/password': ['application/json'], 'PATCH /v1/profile': ['application/merge-patch+json', 'application/json'], 'POST /v1/transfers': ['application/json'] };
    for (const name of CALLS) {
      const { requestBody, parameters = [] } = operation(name);
      expect(Object.keys(requestBody?.content ?? {}).sort(), name).toEqual([...(bodies[name as keyof typeof bodies] ?? [])].sort());
      for (const { schema } of Object.values<any>(requestBody?.content ?? {})) {
        expect(schema).toMatchObject({ type: 'object', additionalProperties: false });
        expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
      }
      for (const { name: parameter, schema } of parameters) expect(ajv.validateSchema(schema), parameter).toBe(true);
    }
    const headersOf = (name: string): string[] => operation(name).parameters.filter((parameter: any) => parameter.in === 'header').map((parameter: any) => parameter.name);
    for (const name of ['POST /v1/accounts', 'PUT /v1/password', 'POST /v1/transfers', 'POST /v1/vouchers/{id}/redeem']) expect(headersOf(name)).toEqual(expect.arrayContaining(['Idempotency-Key', 'Homeward-Consistency']));
    expect(headersOf('PATCH /v1/profile')).toEqual(expect.arrayContaining(['If-Match', 'Homeward-Consistency']));
    expect(operation('POST /v1/transfers').parameters).toContainEqual(expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }));
    expect(operation('GET /v1/route').parameters).toEqual([expect.objectContaining({ name: 'identifier', in: 'query', required: true })]);
    mustFit(operation('POST /v1/accounts').requestBody.content['application/json'].schema, { identifier: 'ada@example.com', password: 'violet-otter-42', profile: { locale: 'en' } }, 'a registration');
    mustFit(operation('PATCH /v1/profile').requestBody.content['application/merge-patch+json'].schema, { displayName: null, attributes: { team: null } }, 'a patch');
  });

  it('agrees with what the service answers', async () => {
    const registration = { identifier: world.identifier(REGION), password: 'violet-otter-42', profile: { displayName: 'Grace' } };
    expect((await ask('POST /v1/accounts', { body: registration, key: 'once' })).status).toBe(201);
    expect((await ask('POST /v1/accounts', { body: { ...registration, password: 'another-otter-43' }, key: 'once' })).status).toBe(409);
    expect((await ask('POST /v1/accounts', { body: registration })).status).toBe(409);
    expect((await ask('POST /v1/accounts', { body: { ...registration, password: 'x' } })).status).toBe(422);
    expect((await ask('POST /v1/accounts', { body: {} })).status).toBe(400);
    expect((await ask('POST /v1/accounts', { raw: ' '.repeat(70_000) })).status).toBe(413);
    expect((await ask('POST /v1/accounts', { raw: 'x', headers: { 'content-type': 'text/plain' } })).status).toBe(415);
    expect((await ask('POST /v1/sessions', { body: { identifier: user.identifier, password: user.password } })).status).toBe(201);
    expect((await ask('POST /v1/sessions', { body: { identifier: user.identifier, password: 'wrong' } })).status).toBe(401);
    expect((await ask('GET /v1/sessions/current', { token })).status).toBe(200);
    expect((await ask('GET /v1/sessions/current')).status).toBe(401);
    expect((await ask('GET /v1/profile', { token })).status).toBe(200);
    expect((await ask('PATCH /v1/profile', { token, body: { bio: 'hello', attributes: { team: 'red' } }, headers: { 'content-type': 'application/merge-patch+json' } })).status).toBe(200);
    expect((await ask('PATCH /v1/profile', { token, body: { bio: 'hello' }, headers: { 'if-match': '"x"' } })).status).toBe(412);
    expect((await ask('PATCH /v1/profile', { token, body: { bio: 17 } })).status).toBe(400);
    expect((await ask('PUT /v1/password', { token, body: { current: 'wrong-one-here', next: 'violet-otter-44' } })).status).toBe(401);
    expect((await ask('PUT /v1/password', { token, body: { current: user.password, next: 'short' } })).status).toBe(422);
    expect((await ask('PUT /v1/password', { token, body: { current: user.password, next: 'violet-otter-44' } })).status).toBe(204);
    expect((await ask('GET /v1/route', { query: `?identifier=${encodeURIComponent(user.identifier)}` })).status).toBe(200);
    expect((await ask('GET /v1/route')).status).toBe(400);
    expect((await ask('GET /v1/degradation')).status).toBe(200);
    expect((await ask('DELETE /v1/sessions/current')).status).toBe(401);
    const other = await world.signIn(REGION, { ...user, password: 'violet-otter-44' });
    expect((await ask('DELETE /v1/sessions/current', { token: other })).status).toBe(204);
    expect((await ask('DELETE /v1/sessions', { token })).status).toBe(204);
  });

  it('agrees with what the service answers about money', async () => {
    const [payer, payee] = await Promise.all([world.register(REGION), world.register(REGION)]);
    expect((await world.ops(REGION, 'POST', '/ops/deposits', { body: { account: payer.id, amount: 100, key: 'once' } })).status).toBe(200);
    const mine = await world.signIn(REGION, payer);
    expect((await ask('GET /v1/wallet', { token: mine })).body.balance).toBe(100);
    const transfer = await ask('POST /v1/transfers', { token: mine, key: 'lunch', body: { payee: payee.identifier, amount: 30, memo: 'Lunch' } });
    expect(transfer.status).toBe(201);
    expect((await ask('POST /v1/transfers', { token: mine, body: { payee: payee.id, amount: 1 } })).status).toBe(400);
    expect((await ask('POST /v1/transfers', { token: mine, key: 'lunch', body: { payee: payee.id, amount: 31 } })).status).toBe(409);
    expect((await ask('POST /v1/transfers', { token: mine, key: 'much', body: { payee: payee.id, amount: 71 } })).status).toBe(422);
    expect((await ask('POST /v1/transfers', { token: mine, key: 'nobody', body: { payee: world.identifier(REGION), amount: 1 } })).status).toBe(404);
    expect((await ask('GET /v1/transfers', { token: mine, query: '?limit=1' })).body.items).toHaveLength(1);
    expect((await ask('GET /v1/transfers', { token: mine, query: '?limit=0' })).status).toBe(400);
    expect((await ask('GET /v1/transfers/{id}', { token: mine, id: transfer.body.id })).status).toBe(200);
    expect((await ask('GET /v1/transfers/{id}', { token: mine, id: payer.id })).status).toBe(404);
    expect((await ask('POST /v1/transfers/{id}/cancel', { token: mine, id: transfer.body.id })).status).toBe(409);
    expect((await ask('GET /v1/vouchers', { token: mine })).body).toEqual({ items: [], next: null });
    expect((await ask('POST /v1/vouchers/{id}/redeem', { token: mine, id: transfer.body.id })).status).toBe(404);
  });

  it('agrees with what the service answers about notices', async () => {
    const told = await world.register(REGION);
    const mine = await world.signIn(REGION, told);
    expect((await world.api(REGION, 'PUT', '/v1/password', { token: mine, body: { current: told.password, next: 'violet-otter-47' } })).status).toBe(204);
    const { items } = (await ask('GET /v1/notifications', { token: mine })).body;
    expect(items).toHaveLength(1);
    expect((await ask('GET /v1/notifications', { token: mine, query: '?after=x' })).status).toBe(400);
    expect((await ask('POST /v1/notifications/{id}/read', { token: mine, id: items[0].id })).status).toBe(200);
    expect((await ask('POST /v1/notifications/{id}/read', { token: mine, id: told.id })).status).toBe(404);
    const { id } = (await world.ops(REGION, 'POST', '/ops/announcements', { body: { texts: { en: { title: 'Hello', body: 'All is well.' } } } })).body;
    expect((await ask('GET /v1/announcements')).body.items.map((one: any) => one.id)).toContain(id);
    expect((await world.ops(REGION, 'DELETE', `/ops/announcements/${id}`)).status).toBe(204);
  });

  it('agrees with what the service answers while the link is cut', async () => {
    const away = await world.register('west', REGION);
    const mine = await world.signIn(REGION, away);
    const foreign = await world.signIn('west', away);
    await world.cut('refuse');
    await world.untilCutSeen();
    expect((await ask('POST /v1/accounts', { body: { identifier: world.identifier('west'), password: 'violet-otter-42' } })).status).toBe(503);
    expect((await ask('POST /v1/sessions', { body: { identifier: world.identifier('west'), password: 'violet-otter-42' } })).status).toBe(503);
    expect((await ask('PUT /v1/password', { token: mine, body: { current: away.password, next: 'violet-otter-45' } })).status).toBe(503);
    expect((await ask('GET /v1/profile', { token: foreign })).status).toBe(401);
    expect((await ask('GET /v1/wallet', { token: mine })).body.authoritative).toBe(false);
    const queued = await ask('POST /v1/transfers', { token: mine, key: 'rent', body: { payee: user.id, amount: 1 } });
    expect(queued.status).toBe(202);
    expect((await ask('POST /v1/transfers/{id}/cancel', { token: mine, id: queued.body.id })).status).toBe(202);
    expect((await ask('GET /v1/degradation')).body.peers).toEqual([{ region: 'west', reachable: false }]);
    await world.heal();
    await world.mustConverge();
  });

  it('can be browsed at /docs', async () => {
    const page = await world.api(REGION, 'GET', '/docs');
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': expect.stringMatching(/^text\/html/) } });
    expect(page.text).toContain('swagger-ui');
    expect((await world.api(REGION, 'GET', '/docs/swagger-ui-init.js')).text).toContain('/v1/accounts');
  });
});
