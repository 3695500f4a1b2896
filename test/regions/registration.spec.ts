import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { requestDigest } from '#adapters/postgres';
import { type Answer, eventually } from './harness/index.js';
import { accountsOf, fileWorld, holding, mustBeProblem, otherThan } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

/** A body that nobody sent before. */
function fresh(home: string, more: object = {}) {
  return { identifier: world.identifier(home), password: `pass-${randomUUID()}`, ...more };
}

function register(door: string, body: object, key?: string): Promise<Answer> {
  return world.api(door, 'POST', '/v1/accounts', { body, ...(key === undefined ? {} : { key }) });
}

/** Calls with each item, four at a time: what fills no queue. @returns the results, in the items' order */
async function fewAtOnce<T, R>(items: readonly T[], call: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of entries) results[index] = await call(item);
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return results;
}

describe('a registration', () => {
  it('is decided at the home and known in both regions, whichever door it came by', async () => {
    for (const home of world.regions) for (const door of world.regions) {
      const body = fresh(home);
      const answer = await register(door, body);
      expect(answer.status).toBe(201);
      expect(answer.body).toEqual({ id: expect.any(String), identifier: body.identifier, home, createdAt: expect.any(String) });
      expect(answer.headers).toMatchObject({ 'homeward-region': door, 'homeward-home': home, 'homeward-read': door === home ? 'local' : 'second', 'homeward-consistency': expect.any(String) });
      for (const region of world.regions) {
        expect(await eventually(() => world.signIn(region, body))).toBeTruthy();
        await eventually(async () => expect(await accountsOf(world, region, body.identifier)).toEqual([answer.body.id]));
      }
    }
  });

  it('is kept at once by the region that forwarded it, before Kafka brings it', async () => {
    const release = await holding(world, west, `SELECT 1 FROM stream_applied WHERE region = '${west}' FOR UPDATE`);
    try {
      const body = fresh(east);
      const answer = await register(west, body);
      expect(await accountsOf(world, west, body.identifier)).toEqual([answer.body.id]);
    } finally {
      await release();
    }
  });

  it('brings the given profile, and account, password, profile and event are there together', async () => {
    const fields = { displayName: 'Ada', locale: 'en-GB', attributes: { team: 'engines' } };
    const body = fresh(east, { profile: fields });
    const { body: account } = await register(west, body);
    const [rows] = await world.sql(east, `SELECT
      (SELECT count(*)::int FROM account WHERE id = $1) AS accounts, (SELECT count(*)::int FROM password WHERE account = $1) AS passwords,
      (SELECT count(*)::int FROM profile WHERE account = $1) AS profiles, (SELECT epoch::int FROM credential_epoch WHERE account = $1) AS epoch`, [account.id]);
    expect(rows).toEqual({ accounts: 1, passwords: 1, profiles: 1, epoch: 1 });
    for (const region of world.regions) {
      const token = await world.signIn(region, body);
      await eventually(async () => expect((await world.api(region, 'GET', '/v1/profile', { token })).body.fields).toEqual(fields));
    }
  });

  it('without the key, or with another one, is refused the second time: identifier-taken', async () => {
    const body = fresh(east);
    expect((await register(east, body, 'first')).status).toBe(201);
    for (const door of world.regions) {
      mustBeProblem(await register(door, body), 409, 'identifier-taken');
      mustBeProblem(await register(door, body, 'second'), 409, 'identifier-taken');
    }
  });

  it('takes phones, and every way to write one is the same account', async () => {
    const phone = world.identifier(east, 'phone');
    const digits = phone.slice(2);
    const password = `pass-${randomUUID()}`;
    const first = await register(east, { identifier: `+1 (${digits.slice(0, 3)}) ${digits.slice(3, 6)}-${digits.slice(6)}`, password });
    expect(first.body).toMatchObject({ identifier: phone, home: east });
    mustBeProblem(await register(west, { identifier: ` ${phone} `, password }), 409, 'identifier-taken');
    expect(await world.signIn(west, { identifier: `+1.${digits.slice(0, 3)}.${digits.slice(3)}`, password })).toBeTruthy();
  });

  it('takes e-mail addresses, and case or spaces around make no second account', async () => {
    const { identifier, password } = fresh(west);
    expect((await register(east, { identifier: `  ${identifier.toUpperCase()} `, password })).body).toMatchObject({ identifier, home: west });
    mustBeProblem(await register(west, { identifier, password }), 409, 'identifier-taken');
  });
});

describe('a repeated registration', () => {
  it('with the same key answers the first answer, through the same and through the other region', async () => {
    for (const door of world.regions) {
      const body = fresh(east, { profile: { displayName: 'Ada' } });
      const key = randomUUID();
      const first = await register(door, body, key);
      expect(first.status).toBe(201);
      for (const again of [door, otherThan(world, door)]) {
        const repeated = await register(again, body, key);
        expect({ status: repeated.status, text: repeated.text }).toEqual({ status: 201, text: first.text });
      }
    }
  });

  it('with the same key but another password or profile is refused: idempotency-key-reused', async () => {
    const body = fresh(west, { profile: { displayName: 'Ada' } });
    const key = randomUUID();
    expect((await register(east, body, key)).status).toBe(201);
    for (const door of world.regions) {
      mustBeProblem(await register(door, { ...body, password: `${body.password}!` }, key), 409, 'idempotency-key-reused');
      mustBeProblem(await register(door, { ...body, profile: { displayName: 'Eve' } }, key), 409, 'idempotency-key-reused');
      mustBeProblem(await register(door, { ...body, profile: undefined }, key), 409, 'idempotency-key-reused');
    }
  });

  it('is compared without a fast hash of the password being kept', async () => {
    const body = fresh(east);
    const key = randomUUID();
    await register(west, body, key);
    const [row] = await world.sql<{ scope: string; request: Buffer; secrets: string[]; all: string }>(east, 'SELECT scope, request, secrets, i::text AS all FROM idempotency i WHERE key = $1', [`client:${key}`]);
    expect(row!.secrets).toEqual([expect.stringMatching(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)]);
    // The only fast digest is of what is no secret.
    expect(row!.request.equals(requestDigest({ identifier: body.identifier }))).toBe(true);
    const fast = (algorithm: string, encoding: 'hex' | 'base64') => createHash(algorithm).update(body.password).digest(encoding);
    for (const form of [body.password, ...['md5', 'sha1', 'sha256', 'sha512'].flatMap((name) => [fast(name, 'hex'), fast(name, 'base64')])]) expect(row!.all).not.toContain(form);
  });
});

describe('the same identifier registered through both doors at once', () => {
  it('makes exactly one account: one 201, one identifier-taken', async () => {
    const bodies = Array.from({ length: 10 }, (_, index) => fresh(world.regions[index % 2]!));
    const pairs = await Promise.all(bodies.map((body) => Promise.all([register(east, body), register(west, { ...body, password: `${body.password}-w` })])));
    const ids = pairs.map((pair) => {
      expect(pair.map(({ status }) => status).sort()).toEqual([201, 409]);
      mustBeProblem(pair.find(({ status }) => status === 409)!, 409, 'identifier-taken');
      return pair.find(({ status }) => status === 201)!.body.id;
    });
    const identifiers = bodies.map(({ identifier }) => identifier);
    for (const region of world.regions) await eventually(async () => {
      const rows = await world.sql<{ id: string }>(region, 'SELECT id FROM account WHERE identifier = ANY($1) ORDER BY array_position($1, identifier)', [identifiers]);
      expect(rows.map(({ id }) => id)).toEqual(ids);
    });
  });

  it('under the same key answers both with the same account', async () => {
    const bodies = Array.from({ length: 6 }, (_, index) => fresh(world.regions[index % 2]!));
    const pairs = await Promise.all(bodies.map((body) => Promise.all(world.regions.map((door) => register(door, body, 'same')))));
    for (const [one, other] of pairs) {
      expect([one!.status, other!.status]).toEqual([201, 201]);
      expect(one!.text).toBe(other!.text);
    }
  });
});

describe('a weak password', () => {
  it.each([
    ['one of the commonest', () => 'password123'],
    ['made of the identifier', (identifier: string) => identifier.split('@')[0]!],
    ['made of the identifier, backwards and in capitals', (identifier: string) => [...identifier.split('@')[0]!.toUpperCase()].reverse().join('')],
    ['7 characters', () => 'x7!kQz2'],
    ['257 characters', () => 'ab1-'.repeat(64) + 'c'],
    ['10,000 characters', () => 'ab1-'.repeat(2_500)],
  ])('is refused through both doors, and nothing is stored: %s', async (_, passwordFor) => {
    const { identifier } = fresh(east);
    for (const door of world.regions) mustBeProblem(await register(door, { identifier, password: passwordFor(identifier) }), 422, 'weak-password');
    for (const region of world.regions) expect(await accountsOf(world, region, identifier)).toEqual([]);
  });

  it('is not one of 8 or 256 characters, whatever they are: there are no rules of composition', async () => {
    for (const password of ['otterpaw', 'mañana é 😀', 'violet otter '.repeat(20).slice(0, 256)]) {
      const body = fresh(east, { password });
      expect((await register(west, body)).status).toBe(201);
      expect((await world.trySignIn(east, body)).status).toBe(201);
    }
  });
});

describe('faults 22: registrations in the middle of which the PostgreSQL of the home is killed', () => {
  it('are everywhere where they were acknowledged, and one account each where they are repeated with their key', async () => {
    const asked = Array.from({ length: 40 }, (_, index) => ({ body: fresh(east), key: randomUUID(), door: world.regions[index % 2]! }));
    let acknowledged = 0;
    const firsts = fewAtOnce(asked, async ({ body, key, door }) => {
      const answer = await register(door, body, key);
      acknowledged += answer.status === 201 ? 1 : 0;
      return answer;
    });
    const ended = Promise.allSettled([firsts]);
    await eventually(() => expect(acknowledged).toBeGreaterThan(4));
    await world.part(east, 'postgres', { state: 'down', signal: 'SIGKILL' });
    await ended;
    await world.part(east, 'postgres', { state: 'up' });
    const answers = await firsts;
    const lost = answers.filter(({ status }) => status !== 201);
    expect(lost.length).toBeGreaterThan(0);
    for (const answer of lost) expect(answer.body.type).toMatch(/^urn:homeward:problem:(unavailable|home-unavailable|outcome-unknown)$/);
    await world.settleAll();
    const repeats = await fewAtOnce(asked, ({ body, key, door }) => register(otherThan(world, door), body, key));
    expect(repeats.map(({ status }) => status)).toEqual(asked.map(() => 201));
    for (const [index, { status, text }] of answers.entries()) if (status === 201) expect(repeats[index]!.text).toBe(text);
    await world.mustConverge();
    for (const region of world.regions) {
      const rows = await world.sql<{ id: string }>(region, 'SELECT id FROM account WHERE identifier = ANY($1)', [asked.map(({ body }) => body.identifier)]);
      expect(rows.map(({ id }) => id).sort()).toEqual(repeats.map(({ body }) => body.id).sort());
    }
  });
});
