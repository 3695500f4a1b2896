import { randomUUID } from 'node:crypto';
import { partitionOf } from '#kernel/routing';
import { PARTITIONS } from '#kernel/wire';
import { describe, expect, it } from 'vitest';
import { type User, eventually } from './harness/index.js';
import { asReplication, fileWorld, holding, mustBeProblem, untilKnownEverywhere } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

/** "Dead wherever it was cached within 5 s", and the margin of a busy machine. */
const ENDED_MS = 7_000;

/** A user of east who is known everywhere, with a session in each region. */
async function signedIn(): Promise<{ user: User; atHome: string; elsewhere: string }> {
  const user = await world.register(east);
  await untilKnownEverywhere(world, user.id);
  return { user, atHome: await world.signIn(east, user), elsewhere: await world.signIn(west, user) };
}

/** Changes the password at home. @returns the user with the new one */
async function changed(user: User, token: string): Promise<User> {
  const next = `next-${randomUUID()}`;
  const answer = await world.api(east, 'PUT', '/v1/password', { token, body: { current: user.password, next } });
  expect(answer.status).toBe(204);
  return { ...user, password: next };
}

/** What is known of an account's epoch in a region: by either channel, and by the password row alone. */
async function epochs(region: string, account: string): Promise<{ known: number; row: number }> {
  const [epoch] = await world.sql<{ known: string; row: string }>(region,
    'SELECT (SELECT epoch FROM credential_epoch WHERE account = $1) AS known, (SELECT epoch FROM password WHERE account = $1) AS row', [account]);
  return { known: Number(epoch!.known), row: Number(epoch!.row) };
}

/** The old password and the session are dead in the other region. */
async function mustHaveEndedElsewhere(user: User, token: string, withinMs: number): Promise<void> {
  await eventually(async () => mustBeProblem(await world.check(west, token), 401, 'session-invalid'), withinMs);
  await eventually(async () => mustBeProblem(await world.trySignIn(west, user), 401, 'invalid-credentials'), withinMs);
}

/** What keeps the events of east's epochs from being applied in west, however they come. */
const EVENTS_HELD = `SELECT 1 FROM stream_applied WHERE region = '${west}' AND writer = '${east}' AND stream = 'epochs' FOR UPDATE`;
/** What keeps the passwords of east from being applied in west. */
const ROWS_HELD = 'LOCK TABLE password IN EXCLUSIVE MODE';

describe('a credential epoch', () => {
  it('ends the old password and its sessions elsewhere when only Kafka brings it, the password row still on its way', async () => {
    const { user, atHome, elsewhere } = await signedIn();
    const release = await holding(world, west, ROWS_HELD);
    try {
      await changed(user, atHome);
      await mustHaveEndedElsewhere(user, elsewhere, ENDED_MS);
      expect(await epochs(west, user.id)).toEqual({ known: 2, row: 1 });
    } finally {
      await release();
    }
    await world.mustConverge();
  });

  it("ends them elsewhere when only the database brings it, the home's Kafka killed and no event applied", async () => {
    const { user, atHome, elsewhere } = await signedIn();
    const release = await holding(world, west, EVENTS_HELD);
    try {
      await world.part(east, 'kafka', { state: 'down', signal: 'SIGKILL' });
      await changed(user, atHome);
      await mustHaveEndedElsewhere(user, elsewhere, ENDED_MS);
      expect(await epochs(west, user.id)).toEqual({ known: 2, row: 2 });
    } finally {
      await release();
      await world.part(east, 'kafka', { state: 'up' });
    }
    await world.mustConverge();
  });

  it('never goes back: an older one that comes later, by either channel, changes nothing', async () => {
    const { user, atHome } = await signedIn();
    const release = await holding(world, west, EVENTS_HELD);
    let last: User;
    try {
      last = await changed(await changed(user, atHome), atHome);
      await eventually(async () => expect(await epochs(west, user.id)).toEqual({ known: 3, row: 3 }));
    } finally {
      await release();
    }
    const token = await world.signIn(west, last);
    // Now Kafka brings 2 and 3, and after them the row comes once more as it was at first.
    await world.settleAll();
    expect((await epochs(west, user.id)).known).toBe(3);
    await asReplication(world, west, 'UPDATE password SET epoch = 1 WHERE account = $1', [user.id]);
    expect(await epochs(west, user.id)).toEqual({ known: 3, row: 1 });
    mustBeProblem(await world.trySignIn(west, user), 401, 'invalid-credentials');
    expect((await world.check(west, token)).status).toBe(200);
    await asReplication(world, west, 'UPDATE password SET epoch = 3 WHERE account = $1', [user.id]);
    await world.mustConverge();
    expect((await world.trySignIn(west, last)).status).toBe(201);
  });

  it('faults 18: is never held up by an earlier one of its account that can not be read, which is replayed by itself once it can, without effect', async () => {
    const { user, atHome, elsewhere } = await signedIn();
    const unread = { account: user.id, epoch: 1, reason: 'leaked' };
    await world.sql(east, `INSERT INTO outbox (stream, partition, version, key, payload) VALUES ('epochs', $1, 2, $2, $3)`, [partitionOf(user.id, PARTITIONS), user.id, unread]);
    const letter = `SELECT id, body, reason, number::int, replayed_at AS "replayedAt" FROM dead_letter WHERE key = $1`;
    const [aside] = await eventually(async () => {
      const rows = await world.sql<{ id: string; body: string; number: number }>(west, letter, [user.id]);
      expect(rows).toEqual([expect.objectContaining({ reason: 'unknown-version', replayedAt: null })]);
      return rows;
    });
    const release = await holding(world, west, ROWS_HELD);
    try {
      await changed(user, atHome);
      await mustHaveEndedElsewhere(user, elsewhere, ENDED_MS);
      expect(await epochs(west, user.id)).toEqual({ known: 2, row: 1 });
      expect(await world.sql(west, letter, [user.id])).toHaveLength(1);
    } finally {
      await release();
    }
    // What the region's next version understands stands there in the version that this one knows.
    const understood = { v: 1, writer: east, stream: 'epochs', partition: partitionOf(user.id, PARTITIONS), number: aside!.number, key: user.id, payload: { account: user.id, epoch: 1 } };
    await world.sql(west, 'UPDATE dead_letter SET version = 1, body = $2 WHERE id = $1', [aside!.id, JSON.stringify(understood)]);
    await world.part(west, 'api', { state: 'down' });
    await world.part(west, 'api', { state: 'up' });
    await eventually(async () => expect(await world.sql(west, letter, [user.id])).toEqual([expect.objectContaining({ replayedAt: expect.any(Date) })]));
    expect((await epochs(west, user.id)).known).toBe(2);
    await world.sql(west, 'DELETE FROM dead_letter WHERE id = $1', [aside!.id]);
    await world.mustConverge();
  });
});
