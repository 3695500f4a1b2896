import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '#adapters/postgres';
import { createLogger } from '#kernel/telemetry';
import type { CallOptions } from '../regions/harness/call.js';
import { portBase } from '../regions/harness/config.js';
import { databaseUrl } from '../regions/harness/deployment.js';
import { type Answer, Runtime, type User, World, eventually, throughout } from '../regions/harness/index.js';
import { readMetrics, sumOf } from '../regions/harness/metrics.js';
import { Money } from '../regions/harness/money.js';
import { accountsOf, mustBeProblem } from '../regions/situations.js';
import { SmallDisk } from './small-disk.js';

const MIB = 1_024 * 1_024;
const DISK_BYTES = 1_280 * MIB;
/** A tenth of such a disk is less, so this is its reserve. */
const RESERVE_BYTES = 512 * MIB;
/** "Back within 10 s of there being room" (faults, 22 and 23), and the time that a busy machine takes to look. */
const BACK_MS = 10_000 + 2_000;
/** Long enough for the supervisor to try again in vain, and to wait as long as it ever does. */
const FULL_MS = 10_000;
const PAUSE_MS = 200;

/** Without root the specs of a disk that fills are skipped, and their titles say why. */
const WHY_NOT = SmallDisk.whyNot();
const SKIPPED = WHY_NOT === undefined ? '' : ` (skipped: ${WHY_NOT})`;

let runtime: Runtime;
let world: World;
let disk: SmallDisk;
let own: User;
let guest: User;
let tokens: { own: string; guest: string; away: string };

beforeAll(async () => {
  runtime = await Runtime.start({
    portBase: portBase + 600,
    env: { HOMEWARD_ATTEMPTS_PER_ADDRESS: '100000' },
    furnish: (data) => {
      if (WHY_NOT !== undefined) return () => undefined;
      disk = SmallDisk.mount(join(data, 'postgres', 'east'), DISK_BYTES);
      return () => disk.unmount();
    },
  });
  world = new World(runtime.address);
  [own, guest] = [await world.register('east', 'east', { displayName: 'Ada' }), await world.register('west')];
  tokens = { own: await world.signIn('east', own), guest: await world.signIn('east', guest), away: await world.signIn('west', own) };
  await world.settleAll();
});
afterAll(() => runtime.stop());

async function refusing(): Promise<boolean> {
  return (await world.ops('east', 'GET', '/ops/status')).body.parts.postgres.disk.refusing;
}

async function bootOf(region: string): Promise<string> {
  const [row] = await world.sql<{ boot: string }>(region, `SELECT body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [region]);
  return row!.boot;
}

/** The disk is why, and it is said when to try again. */
function mustBeOfTheDisk(answer: Answer): void {
  mustBeProblem(answer, 503, 'unavailable', { part: 'postgres', detail: expect.stringContaining('disk') });
}

/** Every call that writes for a client, asked in east. */
const WRITES: Record<string, () => CallOptions & { of?: string }> = {
  'POST /v1/accounts': () => ({ body: { identifier: world.identifier('east'), password: 'violet-otter-42' }, key: randomUUID() }),
  'PATCH /v1/profile': () => ({ token: tokens.own, body: { bio: 'too much' } }),
  'PUT /v1/password': () => ({ token: tokens.own, body: { current: own.password, next: 'violet-otter-43' }, key: randomUUID() }),
  'POST /v1/transfers': () => ({ token: tokens.own, body: { payee: guest.id, amount: 1 }, key: randomUUID() }),
  'POST /v1/notifications/{id}/read': () => ({ token: tokens.own, of: notification }),
  'POST /v1/vouchers/{id}/redeem': () => ({ token: tokens.own, of: voucher }),
};
/**
 * What changes something and is taken all the same: a session lies in Redis, and ending one must work in every state.
 * Cancelling meets here only what is decided, and says so.
 */
const TAKEN = ['POST /v1/sessions', 'DELETE /v1/sessions/current', 'DELETE /v1/sessions', 'POST /v1/transfers/{id}/cancel'];
const voucher = randomUUID();
let notification: string;

describe.skipIf(WHY_NOT !== undefined)(`faults 23: below the reserve of the disk${SKIPPED}`, () => {
  let repeated: { options: CallOptions; text: string };

  beforeAll(async () => {
    const options = { body: { identifier: world.identifier('east'), password: 'violet-otter-42' }, key: randomUUID() };
    repeated = { options, text: (await world.api('east', 'POST', '/v1/accounts', options)).text };
    await new Money(world).deposit(own.id, 100);
    await world.sql('east', `INSERT INTO voucher (region, slot, id, account, amount, granted_at) SELECT 'east', slot, $1, id, 1, now() FROM account WHERE id = $2`, [voucher, own.id]);
    expect((await world.api('east', 'POST', '/v1/transfers', { token: tokens.own, body: { payee: guest.id, amount: 1 }, key: randomUUID() })).status).toBe(201);
    const [row] = await world.sql<{ id: string }>('east', 'SELECT id FROM notification WHERE account = $1', [own.id]);
    notification = row!.id;
    await world.settleAll();
    disk.fillTo(RESERVE_BYTES - 64 * MIB);
    await eventually(async () => expect(await refusing()).toBe(true));
  });

  it('every call that writes is refused, typed, and the list of them is complete', async () => {
    const { paths } = (await world.api('east', 'GET', '/openapi.json')).body as { paths: Record<string, object> };
    const changing = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).filter((method) => method !== 'get').map((method) => `${method.toUpperCase()} ${path}`));
    expect(changing.sort()).toEqual([...Object.keys(WRITES), ...TAKEN].sort());
    for (const [name, options] of Object.entries(WRITES)) {
      const [method, path] = name.split(' ') as [string, string];
      const { of: id = '', ...rest } = options();
      mustBeOfTheDisk(await world.api('east', method, path.replace('{id}', id), rest));
    }
  });

  it('is told: status, metrics, degradation; the region stays ready and reachable', async () => {
    const { disk: seen } = (await world.ops('east', 'GET', '/ops/status')).body.parts.postgres;
    expect(seen).toEqual({ capacityBytes: DISK_BYTES, freeBytes: expect.any(Number), reserveBytes: RESERVE_BYTES, refusing: true });
    const samples = readMetrics((await world.ops('east', 'GET', '/metrics')).text);
    expect(sumOf(samples, 'homeward_database_writes_refused')).toBe(1);
    expect(sumOf(samples, 'homeward_database_free_bytes')).toBeLessThan(sumOf(samples, 'homeward_database_reserve_bytes')!);
    expect((await world.api('east', 'GET', '/v1/degradation')).body.writes).toMatch(/^refused/);
    expect((await world.ops('east', 'GET', '/health/ready')).status).toBe(200);
    expect((await world.ops('west', 'GET', '/ops/status')).body.peers.east).toMatchObject({ link: 'up', calls: { reads: 'open', writes: 'open' } });
  });

  it('reads go on, sign-in and sign-out too, and a repetition gets its first answer', async () => {
    expect((await world.check('east', tokens.own)).status).toBe(200);
    expect((await world.api('east', 'GET', '/v1/profile', { token: tokens.guest })).status).toBe(200);
    const again = await world.api('east', 'POST', '/v1/accounts', repeated.options);
    expect({ status: again.status, text: again.text }).toEqual({ status: 201, text: repeated.text });
    for (const region of world.regions) {
      const answer = await world.trySignIn(region, own);
      expect(answer).toMatchObject({ status: 201, body: { assurance: 'full' } });
      expect((await world.api(region, 'DELETE', '/v1/sessions/current', { token: answer.body.token })).status).toBe(204);
    }
  });

  it('what another region asks of it is home-unavailable there, and has no effect', async () => {
    const identifier = world.identifier('east');
    mustBeProblem(await world.api('west', 'POST', '/v1/accounts', { body: { identifier, password: 'violet-otter-42' } }), 503, 'home-unavailable', { home: 'east' });
    mustBeProblem(await world.api('west', 'PUT', '/v1/password', { token: tokens.away, body: { current: own.password, next: 'violet-otter-43' } }), 503, 'home-unavailable', { home: 'east' });
    for (const region of world.regions) expect(await accountsOf(world, region, identifier)).toEqual([]);
    expect((await world.trySignIn('west', own)).status).toBe(201);
    // A transfer waits in the region that took it, and is decided by the home: what arrives is not refused.
    const queued = await world.api('west', 'POST', '/v1/transfers', { token: tokens.away, body: { payee: guest.id, amount: 7 }, key: randomUUID() });
    expect(queued).toMatchObject({ status: 202, body: { status: 'queued' } });
    await eventually(async () => expect((await world.api('west', 'GET', `/v1/transfers/${queued.body.id}`, { token: tokens.away })).body.status).toBe('settled'));
  });

  it("what arrives is stored: the other region's accounts, profiles and passwords", async () => {
    const user = await world.register('west', 'west', { displayName: 'Grace' });
    await world.mustConverge();
    expect(await world.trySignIn('east', user)).toMatchObject({ status: 201, body: { assurance: 'full' } });
    expect(await refusing()).toBe(true);
  });

  it('and with room again writes are taken again, by the same process', async () => {
    const boot = await bootOf('east');
    disk.empty();
    await eventually(async () => expect(await refusing()).toBe(false), BACK_MS);
    expect(await world.register('east', 'west')).toMatchObject({ home: 'east' });
    expect((await world.api('east', 'PATCH', '/v1/profile', { token: tokens.own, body: { bio: 'room' } })).status).toBe(200);
    expect((await world.api('east', 'POST', '/v1/transfers', { token: tokens.own, body: { payee: guest.id, amount: 1 }, key: randomUUID() })).status).toBe(201);
    expect((await world.api('east', 'POST', `/v1/vouchers/${voucher}/redeem`, { token: tokens.own })).status).toBe(200);
    expect(await bootOf('east')).toBe(boot);
    await world.mustConverge();
  });
});

describe('faults 23: where the disk is out of reach', () => {
  it.each([
    { is: 'large enough', capacityBytes: 1_024 * 1_024 * MIB, refusing: false },
    { is: 'too small for the reserve', capacityBytes: RESERVE_BYTES, refusing: true },
  ])('PostgreSQL is asked what it uses of a capacity that is $is', async ({ capacityBytes, refusing }) => {
    const database = new Database({ url: databaseUrl(world.address, 'west'), region: 'west', disk: { capacityBytes } }, createLogger({ region: 'west', level: 'silent' }));
    database.run();
    try {
      const status = await eventually(() => {
        expect(database.reserve.status.freeBytes).not.toBeNull();
        return database.reserve.status;
      });
      expect(status).toMatchObject({ capacityBytes, refusing });
      const usedBytes = capacityBytes - status.freeBytes!;
      expect(usedBytes).toBeGreaterThan(16 * MIB);
      expect(usedBytes).toBeLessThan(DISK_BYTES);
      if (refusing) expect(() => database.reserve.mustHaveRoom()).toThrow(/disk/);
    } finally {
      await database.stop();
    }
  });
});

interface Asked {
  readonly identifier: string;
  readonly password: string;
  readonly key: string;
}

function fresh(): Asked {
  return { identifier: world.identifier('east'), password: `pass-${randomUUID()}`, key: randomUUID() };
}

function register({ identifier, password, key }: Asked): Promise<Answer> {
  return world.api('east', 'POST', '/v1/accounts', { body: { identifier, password }, key });
}

/** One registration after the other in east, and what was answered. */
class Lane {
  readonly asked: (Asked & { status: number })[] = [];
  /** Answers that were neither success nor a typed refusal that says when to try again. */
  readonly untyped: string[] = [];
  private going = true;
  private under: Promise<void> | undefined;

  run(): void {
    this.under = this.work();
  }

  async stop(): Promise<void> {
    this.going = false;
    await this.under;
  }

  private async work(): Promise<void> {
    while (this.going) {
      const asked = fresh();
      const { status, headers, body, text } = await register(asked);
      this.asked.push({ ...asked, status });
      const typed = status === 503 && /:(unavailable|outcome-unknown)$/.test(body.type) && Number(headers['retry-after']) > 0;
      if (status !== 201 && !typed) this.untyped.push(text);
      await new Promise((next) => setTimeout(next, PAUSE_MS));
    }
  }
}

describe.skipIf(WHY_NOT !== undefined)(`faults 23: with the disk full all the same${SKIPPED}`, () => {
  const lane = new Lane();
  let boot: string;

  beforeAll(async () => {
    boot = await bootOf('east');
    lane.run();
    await eventually(() => expect(lane.asked.length).toBeGreaterThan(5));
    disk.fillTo(0);
    // The WAL files that are there already would last for minutes: each switch uses up one.
    await expect((async () => {
      for (;;) await world.sql('east', `SELECT pg_logical_emit_message(true, 'homeward-test', 'a'), pg_switch_wal()`);
    })()).rejects.toThrow();
  });
  afterAll(() => lane.stop());

  it('PostgreSQL is gone and every call that needs it is refused, typed; the other region goes on, for its users too', async () => {
    await eventually(async () => expect((await world.ops('east', 'GET', '/health/ready')).status).toBe(503));
    await throughout(async () => {
      for (const answer of [await world.trySignIn('east', own), await register(fresh())]) mustBeProblem(answer, 503, 'unavailable', { part: 'postgres' });
    }, FULL_MS);
    expect(await world.register('west')).toMatchObject({ home: 'west' });
    expect((await world.trySignIn('west', own)).status).toBe(201);
    expect((await world.ops('west', 'GET', '/health/ready')).status).toBe(200);
  });

  it('it is back within 10 s of there being room, with the same service and without anybody', async () => {
    disk.empty();
    await eventually(async () => expect((await world.ops('east', 'GET', '/health/ready')).status).toBe(200), BACK_MS);
    await eventually(async () => expect(await world.register('east')).toMatchObject({ home: 'east' }), BACK_MS);
    expect(await bootOf('east')).toBe(boot);
  });

  it('and nothing that was acknowledged is lost, nothing has happened twice', async () => {
    await lane.stop();
    await world.mustConverge();
    expect(lane.untyped).toEqual([]);
    expect(lane.asked.filter(({ status }) => status === 201).length).toBeGreaterThan(5);
    expect(lane.asked.filter(({ status }) => status === 503).length).toBeGreaterThan(0);
    for (const asked of lane.asked) {
      const before = await accountsOf(world, 'east', asked.identifier);
      if (asked.status === 201) expect(before).toHaveLength(1);
      const again = await register(asked);
      expect(again.status, again.text).toBe(201);
      if (before.length === 1) expect(again.body.id).toBe(before[0]);
    }
    await world.mustConverge();
  });
});
