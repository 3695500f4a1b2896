import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Answer, type User, eventually, sharedWorld } from './harness/index.js';
import { mustBeProblem } from './situations.js';

const world = sharedWorld();
const [east, west] = world.regions as [string, string];

async function changePassword(door: string, token: string, user: User): Promise<User> {
  const next = `next-${randomUUID()}`;
  expect((await world.api(door, 'PUT', '/v1/password', { token, body: { current: user.password, next } })).status).toBe(204);
  return { ...user, password: next };
}

function notifications(region: string, token: string, query = '', consistency?: string): Promise<Answer> {
  return world.api(region, 'GET', `/v1/notifications${query}`, { token, consistency });
}

async function untilTold(region: string, token: string, count = 1): Promise<any[]> {
  return eventually(async () => {
    const { body } = await notifications(region, token);
    expect(body.items).toHaveLength(count);
    return body.items;
  });
}

describe('a changed password', () => {
  it("is told in every region, once, in the language of the profile's locale", async () => {
    const user = await world.register(east, east, { locale: 'zh-CN' });
    const token = await world.signIn(west, user);
    await changePassword(west, token, user);
    const [here, there] = [await untilTold(east, token), await untilTold(west, token)];
    expect(there).toEqual(here);
    expect(here[0]).toMatchObject({ kind: 'password-changed', text: { title: '密码已更改' }, data: {} });
    const edited = await world.api(west, 'PATCH', '/v1/profile', { token, body: { locale: 'en-GB' } });
    const consistency = edited.headers['homeward-consistency'] as string;
    expect((await notifications(east, token, '', consistency)).body.items[0].text.title).toBe('Password changed');
  });

  it('is not told where it was refused, nor again where it is repeated', async () => {
    const user = await world.register(east);
    const token = await world.signIn(east, user);
    const next = `next-${randomUUID()}`;
    expect((await world.api(east, 'PUT', '/v1/password', { token, body: { current: 'not-the-password', next } })).status).toBe(401);
    expect((await notifications(east, token)).body).toEqual({ items: [], next: null });
    for (const door of [east, west, east]) expect((await world.api(door, 'PUT', '/v1/password', { token, key: 'once', body: { current: user.password, next } })).status).toBe(204);
    for (const region of world.regions) await untilTold(region, token);
    await world.settleAll();
    for (const region of world.regions) await untilTold(region, token);
  });
});

describe('notifications', () => {
  it('are listed newest first, in pages, to their account alone', async () => {
    let user = await world.register(east);
    let token = await world.signIn(east, user);
    for (let turn = 0; turn < 3; turn += 1) user = await changePassword(east, token, user);
    const all = await untilTold(east, token, 3);
    expect(all.map(({ createdAt }) => createdAt)).toEqual(all.map(({ createdAt }) => createdAt).toSorted().toReversed());
    const first = await notifications(east, token, '?limit=2');
    const second = await notifications(east, token, `?limit=2&after=${encodeURIComponent(first.body.next)}`);
    expect([...first.body.items, ...second.body.items]).toEqual(all);
    expect(second.body.next).toBe(null);
    expect((await notifications(east, token, '?limit=3')).body).toEqual({ items: all, next: null });
    expect(first.headers).toMatchObject({ 'homeward-home': east, 'homeward-read': 'local' });

    const other = await world.signIn(east, await world.register(east));
    expect((await notifications(east, other)).body.items).toEqual([]);
    mustBeProblem(await world.api(east, 'POST', `/v1/notifications/${all[0].id}/read`, { token: other }), 404, 'not-found');
    mustBeProblem(await notifications(east, token, '?after=x'), 400, 'invalid-request');
    mustBeProblem(await notifications(east, token, '?limit=201'), 400, 'invalid-request');
    mustBeProblem(await world.api(east, 'GET', '/v1/notifications'), 401, 'session-invalid');
    mustBeProblem(await world.api(east, 'POST', '/v1/notifications/x/read', { token }), 400, 'invalid-request');
    mustBeProblem(await world.api(east, 'POST', `/v1/notifications/${randomUUID()}/read`, { token }), 404, 'not-found');
  });

  it('marked as read in one region are read in the other, at once for who sends the token and once for all', async () => {
    const user = await world.register(east);
    const token = await world.signIn(west, user);
    await changePassword(east, token, user);
    const [{ id }] = await untilTold(west, token) as [{ id: string }];
    const marked = await world.api(west, 'POST', `/v1/notifications/${id}/read`, { token });
    expect(marked).toMatchObject({ status: 200, body: { id, readAt: expect.any(String) } });
    const consistency = marked.headers['homeward-consistency'] as string;
    const there = await notifications(east, token, '', consistency);
    expect(there.headers['homeward-read']).toMatch(/^(local|second)$/);
    expect(there.body.items).toMatchObject([{ id, readAt: marked.body.readAt }]);
    expect((await world.api(east, 'POST', `/v1/notifications/${id}/read`, { token, consistency })).body.id).toBe(id);
    await world.settleAll();
    const read = await Promise.all(world.regions.map((region) => notifications(region, token)));
    expect(read.map(({ body }) => body.items[0].readAt)).toEqual([marked.body.readAt, marked.body.readAt]);
  });
});
