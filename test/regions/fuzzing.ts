import { randomInt, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Answer, User, World } from './harness/index.js';
import { Certificates, callPeer } from './harness/peer-call.js';
import { callsBetween } from './harness/traces.js';

const [EAST, WEST] = ['east', 'west'] as const;
const SEED = randomInt(2 ** 31);
/** Visible characters: what a header may hold. */
const visible = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 300 });

/** What the tests of one deployment share. */
interface Fuzzed {
  readonly world: World;
  readonly user: User;
  readonly token: string;
  readonly consistency: string;
  /** The start of west's process that answers. */
  readonly boot: string;
  readonly certificates: Certificates;
}

/** Fuzzed tokens, bodies and peer payloads against real listeners: never a 5xx of ours, never a crash, nothing accepted that is not right. */
export function describeFuzzing(row: string, world: () => World, runs: number): void {
  describe(`${row}: fuzzed (seed ${SEED}, ${runs} runs)`, () => {
    let fuzzed: Fuzzed;
    const options = { numRuns: runs, seed: SEED };
    beforeAll(async () => {
      fuzzed = await prepare(world());
    });

    it('session tokens are refused, and no peer is asked about them', () => fuzzTokens(fuzzed, options));
    it('consistency tokens are ignored', () => fuzzConsistency(fuzzed, options));
    it('bodies are read or refused, and let nobody in', () => fuzzBodies(fuzzed, options));
    it("a peer's payloads are read or refused", () => fuzzPeerPayloads(fuzzed, options));
    it('regions and request ids in the headers of a peer call are refused or left out', () => fuzzPeerHeaders(fuzzed, { ...options, numRuns: Math.ceil(runs / 4) }));

    it('nothing of it ended the service, or the session that was there', async () => {
      const { user, token, boot } = fuzzed;
      expect((await heartbeat(fuzzed)).boot).toBe(boot);
      expect((await world().check(EAST, token)).status).toBe(200);
      expect((await world().trySignIn(WEST, user)).status).toBe(201);
    });
  });
}

async function prepare(world: World): Promise<Fuzzed> {
  const certificates = new Certificates(world);
  const user = await world.register(WEST, EAST, { displayName: 'Ada' });
  await world.settleAll();
  const token = await world.signIn(EAST, user);
  const consistency = String((await world.api(EAST, 'PATCH', '/v1/profile', { token, body: { bio: 'hello' } })).headers['homeward-consistency']);
  const { boot } = await heartbeat({ world, certificates });
  return { world, user, token, consistency, boot, certificates };
}

type Peer = Pick<Fuzzed, 'world' | 'certificates'>;

/** A call on west's peer listener with east's certificate. */
function callWest({ world, certificates }: Peer, path: string, options: { method?: string; body?: string; headers?: Record<string, string> }) {
  const headers = { 'homeward-from': EAST, 'homeward-to': WEST, ...options.headers };
  return callPeer({ port: world.ports(WEST).peer, to: WEST, ca: certificates.ca, identity: certificates.of(EAST), ...options, path: `/peer/v1/${path}`, headers });
}

async function heartbeat(peer: Peer): Promise<{ boot: string; monoMs: number }> {
  return (await callWest(peer, 'heartbeat', { method: 'GET' })).body;
}

type Options = { readonly numRuns: number; readonly seed: number };

async function fuzzTokens({ world, token }: Fuzzed, options: Options): Promise<void> {
  const before = await callsBetween(world);
  const calls = fc.constantFrom(['GET', '/v1/sessions/current'], ['DELETE', '/v1/sessions/current'], ['DELETE', '/v1/sessions'], ['GET', '/v1/profile']);
  await fc.assert(fc.asyncProperty(calls, mutated(token), async ([method, path], forged) => {
    const answer = await world.api(EAST, method!, path!, { token: forged });
    expect([answer.status, answer.body.type]).toEqual([401, 'urn:homeward:problem:session-invalid']);
  }), options);
  expect((await world.check(EAST, token)).status).toBe(200);
  expect(await callsBetween(world)).toEqual(before);
}

async function fuzzConsistency({ world, token, consistency }: Fuzzed, options: Options): Promise<void> {
  await fc.assert(fc.asyncProperty(mutated(consistency), async (forged) => {
    expect(await world.api(EAST, 'GET', '/v1/profile', { token, consistency: forged })).toMatchObject({ status: 200, headers: { 'homeward-read': 'local' } });
  }), options);
}

async function fuzzBodies({ world, user, token }: Fuzzed, options: Options): Promise<void> {
  const member = fc.oneof(fc.constant(user.identifier), fc.string({ unit: 'binary' }), fc.jsonValue());
  const members = fc.constantFrom('identifier', 'password', 'current', 'next', 'displayName', 'bio', 'attributes', 'locale', 'payee', 'amount', 'memo', '__proto__', 'constructor');
  const body = fc.oneof(fc.string(), fc.oneof(fc.jsonValue(), fc.dictionary(members, member)).map((value) => JSON.stringify(value)));
  const call = fc.constantFrom(['POST', '/v1/sessions'], ['POST', '/v1/accounts'], ['PATCH', '/v1/profile'], ['PUT', '/v1/password'], ['POST', '/v1/transfers']);
  await fc.assert(fc.asyncProperty(call, body, async ([method, path], raw) => {
    const answer = await world.api(EAST, method!, path!, { token, raw, key: randomUUID(), headers: { 'content-type': 'application/json' } });
    mustBeKnown(answer, path === '/v1/profile' ? [200, 400] : [400, 401, 404, 409, 422, 429, 503]);
  }), options);
}

async function fuzzPeerPayloads(fuzzed: Fuzzed, options: Options): Promise<void> {
  const values = fieldsOf(fuzzed.user, await heartbeat(fuzzed));
  const route = fc.constantFrom(...Object.keys(ROUTES));
  const payload = fc.oneof(
    { weight: 6, arbitrary: route.chain((path) => fc.tuple(fc.constant(path), fc.record(Object.fromEntries(ROUTES[path]!.map((name) => [name, values[name]!]))).map((value) => JSON.stringify(value)))) },
    { weight: 1, arbitrary: fc.tuple(route, fc.oneof(fc.string(), fc.jsonValue().map((value) => JSON.stringify(value)))) },
  );
  await fc.assert(fc.asyncProperty(payload, async ([path, raw]) => {
    const { status, body } = await callWest(fuzzed, path, { body: raw });
    mustBeKnown({ status, body, text: `${path} ${raw} ${JSON.stringify(body)}` }, [200, 204, 400, 401, 403, 404, 409, 422, 503]);
    if (path === 'accounts' || path === 'passwords') expect(status).not.toBe(200);
  }), options);
}

async function fuzzPeerHeaders(fuzzed: Fuzzed, options: Options): Promise<void> {
  const body = JSON.stringify({ identifier: fuzzed.user.identifier });
  await fc.assert(fc.asyncProperty(visible, visible, visible, async (from, to, id) => {
    const { status } = await callWest(fuzzed, 'credentials', { body, headers: { 'homeward-from': from, 'homeward-to': to, 'x-request-id': id } });
    expect(status).toBe(from === EAST && to === WEST ? 200 : 403);
  }), options);
}

/** Each peer route that takes a body, and its members. */
const ROUTES: Record<string, readonly string[]> = {
  accounts: ['identifier', 'password', 'key', 'deadline'], passwords: ['account', 'current', 'next', 'session', 'key', 'deadline'], credentials: ['identifier'],
  'sessions/read': ['hash'], 'sessions/end': ['hash', 'expiresAtMs'], 'sessions/end-all': ['account', 'counter'], 'rows/profile': ['account'], 'rows/signout': ['account', 'session'],
  events: ['stream', 'partition', 'fromNumber', 'limit'], 'state/accounts': ['after'], 'state/epochs': ['after'], 'route-table': [],
  transfers: ['order', 'deadline'], 'transfers/cancel': ['order', 'deadline'], deposits: ['account', 'amount', 'key', 'deadline'], 'vouchers/redeem': ['account', 'voucher', 'deadline'],
  'accounts/find': ['identifier'], wallet: ['account'], 'rows/transfers': ['kind', 'account', 'limit', 'after'], 'rows/vouchers': ['account'], 'rows/redeems': ['account'], 'state/orders': ['after'],
};

/** Values for each member, more often than not of the right form. Registrations name what no home takes, so that none is made. */
function fieldsOf(user: User, { boot, monoMs }: { boot: string; monoMs: number }): Record<string, fc.Arbitrary<unknown>> {
  const odd = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: fc.jsonValue() });
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ maxLength: 400 }));
  const hash = fc.oneof(fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url')), text);
  const account = fc.oneof(fc.constant(user.id), fc.constant(user.id.toUpperCase()), fc.uuid(), text);
  const number = fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger(), fc.constant(1e308));
  const deadline = fc.oneof(
    fc.record({ boot: fc.oneof(fc.constant(boot), text), monoMs: fc.oneof(fc.constant(monoMs + 60_000), number) }), fc.jsonValue());
  const time = fc.oneof(fc.date({ noInvalidDate: true }).map((date) => date.toISOString()), text);
  const region = fc.oneof(fc.constantFrom(EAST, WEST, 'north'), text);
  const amount = fc.oneof(fc.integer({ min: -1, max: 5 }), number);
  const order = fc.record({ id: account, payer: account, payee: account, payeeHome: region, amount, memo: text, key: hash, session: hash, epoch: number, acceptedBy: region, requestedAt: time });
  return {
    order: odd(order), amount: odd(amount), voucher: odd(account), kind: odd(fc.constantFrom('wallet', 'request')),
    identifier: odd(fc.oneof(fc.constant(`${user.identifier} `), text, fc.constant('a\0b@example.com'))), password: odd(text), current: odd(text), next: odd(text),
    key: odd(fc.oneof(text, fc.constant(`client:${randomUUID()}`))), deadline: odd(deadline), account: odd(account), hash: odd(hash),
    session: odd(fc.oneof(hash, fc.record({ hash, epoch: number }))), expiresAtMs: odd(number), counter: odd(fc.oneof(fc.integer({ min: -1, max: 3 }), number)),
    stream: odd(fc.constantFrom('accounts', 'epochs')), partition: odd(fc.oneof(fc.integer({ min: -1, max: 5 }), number)), fromNumber: odd(fc.oneof(fc.nat(), number)), limit: odd(fc.nat(1_100)), after: odd(fc.oneof(account, fc.record({ at: time, id: account }))),
  };
}

/** A token that was tampered with, and texts that look like one. */
function mutated(token: string): fc.Arbitrary<string> {
  const at = fc.nat(token.length - 1);
  const character = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
  return fc.oneof(
    fc.tuple(at, character).map(([index, one]) => token.slice(0, index) + one + token.slice(index + 1)),
    fc.tuple(at, character).map(([index, one]) => token.slice(0, index) + one + token.slice(index)),
    fc.tuple(at, fc.nat(40)).map(([index, length]) => token.slice(0, index) + token.slice(index + 1 + length)),
    fc.tuple(at, at).map(([one, other]) => token.slice(0, one) + token.slice(other)),
    fc.array(fc.constantFrom(...token.split('.'), 'east', 'west', 'north', ''), { maxLength: 5 }).map((parts) => parts.join('.')),
    visible,
  ).filter((text) => text !== token);
}

/** One of these statuses; a 503 is a typed one. */
function mustBeKnown({ status, body, text }: Pick<Answer, 'status' | 'body' | 'text'>, statuses: readonly number[]): void {
  expect(statuses, `${status} ${text}`).toContain(status);
  if (status === 503) expect(body.type).toMatch(/:(overloaded|home-unavailable|outcome-unknown)$/);
}
