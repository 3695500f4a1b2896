import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, eventually } from './harness/index.js';
import { fileWorld, holding, mustBeProblem, untilKnownEverywhere } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

/** A user with a session of its own in each region. */
interface Editor {
  readonly user: User;
  readonly tokens: Record<string, string>;
}

async function editor(home = east): Promise<Editor> {
  const user = await world.register(home);
  await untilKnownEverywhere(world, user.id);
  return { user, tokens: { [east]: await world.signIn(east, user), [west]: await world.signIn(west, user) } };
}

function read(region: string, { tokens }: Editor, consistency?: string): Promise<Answer> {
  return world.api(region, 'GET', '/v1/profile', { token: tokens[region]!, consistency });
}

function edit(region: string, { tokens }: Editor, patch: unknown, more: { headers?: Record<string, string>; consistency?: string } = {}): Promise<Answer> {
  return world.api(region, 'PATCH', '/v1/profile', { token: tokens[region]!, body: patch, ...more });
}

/** Until both regions show the same content; @returns it */
async function agreed(who: Editor, fields?: object): Promise<Answer> {
  return eventually(async () => {
    const [one, other] = [await read(east, who), await read(west, who)];
    expect(other.body).toEqual(one.body);
    expect(other.headers['etag']).toBe(one.headers['etag']);
    if (fields !== undefined) expect(one.body.fields).toEqual(fields);
    return one;
  });
}

describe('a profile', () => {
  it('that nobody has written is empty, last changed when the account was made, the same in both regions', async () => {
    const who = await editor();
    const { body, headers } = await agreed(who, {});
    expect(body).toEqual({ accountId: who.user.id, fields: {}, updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) });
    expect(headers).toMatchObject({ etag: expect.stringMatching(/^"[^"]+"$/), 'homeward-home': east, 'homeward-read': 'local' });
    const [account] = await world.sql<{ created_at: Date }>(east, 'SELECT created_at FROM account WHERE id = $1', [who.user.id]);
    expect(Math.abs(Date.parse(body.updatedAt) - account!.created_at.getTime())).toBeLessThan(1_000);
  });

  it('is merged with a JSON merge patch in either region: what is named changes, null removes, the rest stays', async () => {
    const who = await editor();
    const whole = { displayName: 'Ada', locale: 'en-GB', avatarUrl: 'https://example.com/a.png', bio: 'one\ntwo', attributes: { team: 'engines', desk: '7' } };
    const first = await edit(east, who, whole);
    expect(first).toMatchObject({ status: 200, body: { accountId: who.user.id, fields: whole }, headers: { 'homeward-consistency': expect.any(String), 'homeward-region': east } });
    await agreed(who, whole);
    const second = await edit(west, who, { displayName: 'Ada L.', bio: null, attributes: { desk: null, floor: '2' } }, { headers: { 'content-type': 'application/merge-patch+json' } });
    const merged = { displayName: 'Ada L.', locale: 'en-GB', avatarUrl: whole.avatarUrl, attributes: { team: 'engines', floor: '2' } };
    expect(second.body.fields).toEqual(merged);
    expect(Date.parse(second.body.updatedAt)).toBeGreaterThan(Date.parse(first.body.updatedAt));
    expect((await agreed(who, merged)).body.updatedAt).toBe(second.body.updatedAt);
    expect((await edit(east, who, { attributes: null })).body.fields).toEqual({ displayName: 'Ada L.', locale: 'en-GB', avatarUrl: whole.avatarUrl });
    await agreed(who, { displayName: 'Ada L.', locale: 'en-GB', avatarUrl: whole.avatarUrl });
  });

  it('has members that are not set absent, and all others in a fixed order', async () => {
    const who = await editor();
    await edit(east, who, { attributes: { b: '2', a: '1' }, bio: 'x', displayName: 'Ada' });
    await edit(east, who, { avatarUrl: 'https://example.com/', locale: 'de' });
    expect(Object.keys((await read(east, who)).body.fields)).toEqual(['displayName', 'locale', 'avatarUrl', 'bio', 'attributes']);
    expect((await read(east, who)).text).not.toContain('null');
  });

  it('has an ETag that is the same for the same content, whoever wrote it and wherever, and another for another', async () => {
    const [one, other] = [await editor(east), await editor(west)];
    await edit(east, one, { displayName: 'Ada', bio: 'gone soon' });
    await agreed(one);
    await edit(west, one, { bio: null, attributes: { team: 'engines' } });
    await edit(west, other, { attributes: { team: 'engines' } });
    await agreed(other);
    await edit(east, other, { displayName: 'Ada' });
    const [a, b] = [await agreed(one), await agreed(other)];
    expect(a.headers['etag']).toBe(b.headers['etag']);
    await edit(east, one, { displayName: 'ada' });
    expect((await agreed(one)).headers['etag']).not.toBe(b.headers['etag']);
  });
});

describe('an edit of a profile', () => {
  let who: Editor;
  const present = { displayName: 'Ada', attributes: Object.fromEntries(Array.from({ length: 31 }, (_, index) => [`k${index}`, 'v'])) };
  beforeAll(async () => {
    who = await editor(west);
    expect((await edit(east, who, present)).status).toBe(200);
    await agreed(who, present);
  });

  it.each([
    ['an unknown member', { nickname: 'x' }],
    ['no object', ['displayName']],
    ['a wrong type', { displayName: 7 }],
    ['a displayName of 101 characters', { displayName: 'é'.repeat(101) }],
    ['a bio of 1,001 characters', { bio: 'x'.repeat(1_001) }],
    ['a locale that is none', { locale: 'not a locale' }],
    ['an avatarUrl without https', { avatarUrl: 'http://example.com/a.png' }],
    ['attributes that are not flat strings', { attributes: { a: { b: 'c' } } }],
    ['more than 32 attributes', { attributes: { one: '1', two: '2' } }],
  ])('is refused in both regions and changes nothing: %s', async (_, patch) => {
    for (const region of world.regions) {
      const answer = await edit(region, who, patch);
      mustBeProblem(answer, 400, 'invalid-request');
      expect(answer.body.errors).toEqual([{ path: expect.any(String), message: expect.any(String) }]);
      expect((await read(region, who)).body.fields).toEqual(present);
    }
  });

  it('takes what is just within the limits, characters counted as people count them', async () => {
    const patch = { displayName: '😀'.repeat(100), bio: 'é'.repeat(1_000), locale: 'zh-Hant-TW', attributes: { one: '' } };
    expect((await edit(west, who, patch)).status).toBe(200);
    await agreed(who, { ...present, ...patch, attributes: { ...present.attributes, one: '' } });
  });

  it('with a stale If-Match is 412 and changes nothing; one that matches, a list with it, and * pass', async () => {
    const before = await agreed(who);
    const etag = before.headers['etag'] as string;
    for (const stale of ['"stale"', `W/${etag}`, '"a", "b"']) {
      for (const region of world.regions) mustBeProblem(await edit(region, who, { bio: 'lost' }, { headers: { 'if-match': stale } }), 412, 'precondition-failed');
    }
    expect((await agreed(who)).headers['etag']).toBe(etag);
    const second = await edit(west, who, { bio: 'second' }, { headers: { 'if-match': etag } });
    expect(second.status).toBe(200);
    expect((await read(west, who)).headers['etag']).toBe(second.headers['etag']);
    mustBeProblem(await edit(west, who, { bio: 'lost' }, { headers: { 'if-match': etag } }), 412, 'precondition-failed');
    await agreed(who);
    for (const matching of [`"stale", ${second.headers['etag'] as string}`, '*']) expect((await edit(east, who, { bio: matching }, { headers: { 'if-match': matching } })).status).toBe(200);
    expect((await agreed(who)).body.fields.bio).toBe('*');
  });
});

describe('a client that sends its newest consistency token back', () => {
  it('reads its own edits in the other region at once, each time', async () => {
    const who = await editor();
    let consistency: string | undefined;
    for (let time = 0; time < 20; time += 1) {
      const [here, there] = time % 2 === 0 ? [east, west] : [west, east];
      const edited = await edit(here, who, { displayName: `edit ${time}` }, consistency === undefined ? {} : { consistency });
      consistency = edited.headers['homeward-consistency'] as string;
      const seen = await read(there, who, consistency);
      expect(seen.body).toEqual(edited.body);
      expect(['local', 'second']).toContain(seen.headers['homeward-read']);
      expect(seen.headers['etag']).toBe(edited.headers['etag']);
    }
  });

  it('gets a second read where replication is late, used once and not kept', async () => {
    const who = await editor();
    const release = await holding(world, west, 'LOCK TABLE profile IN EXCLUSIVE MODE');
    try {
      const edited = await edit(east, who, { displayName: 'Ada' });
      const consistency = edited.headers['homeward-consistency'] as string;
      expect(await read(west, who, consistency)).toMatchObject({ body: edited.body, headers: { 'homeward-read': 'second', etag: edited.headers['etag'] } });
      expect(await read(west, who)).toMatchObject({ body: { fields: {} }, headers: { 'homeward-read': 'local' } });
    } finally {
      await release();
    }
    await agreed(who, { displayName: 'Ada' });
  });

  it('is not held up by a token that is invalid or of another account: it is ignored', async () => {
    const [who, another] = [await editor(), await editor()];
    const release = await holding(world, west, 'LOCK TABLE profile IN EXCLUSIVE MODE');
    try {
      const foreign = (await edit(east, another, { displayName: 'Eve' })).headers['homeward-consistency'] as string;
      const own = (await edit(east, who, { displayName: 'Ada' })).headers['homeward-consistency'] as string;
      for (const token of [foreign, 'nonsense', `${own.slice(0, -2)}xx`, own.slice(0, -9)]) {
        expect(await read(west, who, token)).toMatchObject({ status: 200, body: { fields: {} }, headers: { 'homeward-read': 'local' } });
      }
    } finally {
      await release();
    }
    await agreed(who, { displayName: 'Ada' });
  });
});

describe('an edit by somebody who has seen the other one', () => {
  it.each([
    { off: '1 h behind in its own region', late: east, skewed: east, offsetMs: -3_600_000 },
    { off: '1 h ahead in the region of the other one', late: west, skewed: east, offsetMs: 3_600_000 },
    { off: '10 s behind in its own region', late: west, skewed: west, offsetMs: -10_000 },
  ])('always wins, also with the clock $off', async ({ late, skewed, offsetMs }) => {
    const who = await editor();
    const early = late === east ? west : east;
    await world.clock(skewed, offsetMs);
    try {
      for (let time = 0; time < 3; time += 1) {
        expect((await edit(early, who, { displayName: `first ${time}`, bio: null, attributes: { desk: `${time}` } })).status).toBe(200);
        await eventually(async () => expect((await read(late, who)).body.fields.displayName).toBe(`first ${time}`));
        await edit(late, who, { displayName: `then ${time}`, bio: 'back', attributes: { desk: null } });
        await agreed(who, { displayName: `then ${time}`, bio: 'back' });
      }
    } finally {
      await world.clock(skewed, 0);
    }
  });

  it('wins with its consistency token too, where the other one has not arrived yet by replication', async () => {
    const who = await editor();
    await world.clock(west, -3_600_000);
    try {
      for (let time = 0; time < 5; time += 1) {
        const first = await edit(east, who, { displayName: `first ${time}` });
        const second = await edit(west, who, { displayName: `then ${time}` }, { consistency: first.headers['homeward-consistency'] as string });
        expect(second.body.fields).toEqual({ displayName: `then ${time}` });
        await agreed(who, { displayName: `then ${time}` });
      }
    } finally {
      await world.clock(west, 0);
    }
  });
});
