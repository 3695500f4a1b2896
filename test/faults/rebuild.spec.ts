import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Layout, repositoryRoot } from '../../apps/local/layout.js';
import { databaseUrl } from '../regions/harness/deployment.js';
import { type Answer, type User, eventually } from '../regions/harness/index.js';
import { audited } from '../regions/audit/drive.js';
import { type Client, Money } from '../regions/harness/money.js';
import { Certificates, type Identity, callPeer, portOnLink } from '../regions/harness/peer-call.js';
import { mustBeProblem } from '../regions/situations.js';
import { ThreeRegions } from '../regions/three-regions.js';

const LOST = 'west';
const OTHERS = ['east', 'north'];
const FUNDS = 1_000;
const BEFORE = 300;
const LAST = 250;
const QUEUED = 100;
/** The command waits for its region; this is for a machine that does something else besides. */
const REBUILD_MS = 180_000;

let three: ThreeRegions;
let money: Money;
let certificates: Certificates;
let layout: Layout;

beforeAll(async () => {
  three = await ThreeRegions.start();
  money = new Money(three.world);
  certificates = new Certificates(three.world);
  layout = new Layout(three.world.address.data);
});
afterAll(async () => {
  certificates.remove();
  await three.stop();
});

/** Rows of west that wait at the others for a row that somebody holds: what west does meanwhile leaves it over Kafka alone. */
class HeldReplication {
  private readonly clients: pg.Client[] = [];

  async hold(account: string): Promise<void> {
    for (const region of OTHERS) {
      const client = new pg.Client({ connectionString: databaseUrl(three.world.address, region) });
      client.on('error', () => undefined);
      await client.connect();
      this.clients.push(client);
      await client.query('BEGIN');
      await client.query('SELECT FROM profile WHERE region = $1 AND account = $2 FOR UPDATE', [LOST, account]);
    }
  }

  /** What the apply workers had been sent and not applied is gone with them. */
  async drop(): Promise<void> {
    for (const region of OTHERS) await three.world.sql(region, 'SELECT pg_terminate_backend(pid) FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL', [`homeward_from_${LOST}`]);
    for (const client of this.clients) await client.end();
  }
}

/** Power and disks: nothing of the region is left. */
async function destroy(region: string): Promise<void> {
  await three.world.part(region, 'all', { state: 'down', signal: 'SIGKILL' });
  for (const path of [layout.postgres(region), join(three.world.address.data, 'regions', region)]) rmSync(path, { recursive: true, force: true });
}

async function rebuild(region: string): Promise<void> {
  const { portBase } = three.world.address;
  await promisify(execFile)(process.execPath, [join(repositoryRoot(), 'dist/apps/local/regions.js'), 'rebuild', region, '--port-base', String(portBase)], { timeout: REBUILD_MS });
}

describe('faults 34: a region lost with its disks', () => {
  let held: HeldReplication;
  let kept: User;
  let edited: User;
  let payer: Client;
  let payee: Client;
  let onlyAccount: User;
  let superseded: User;
  let settledBefore: string;
  let lastTransfer: string;
  let queued: Answer;
  let lostEdit: Answer;
  let editor: string;
  let oldSession: string;
  let oldCertificate: Identity;

  beforeAll(async () => {
    const { world } = three;
    [kept, edited, superseded] = [await world.register(LOST), await world.register('east'), await world.register(LOST)];
    [payer, payee] = [await money.client(LOST, FUNDS), await money.client('east')];
    settledBefore = (await money.order('north', payer, payee.id, BEFORE)).body.id;
    editor = await world.signIn(LOST, edited);
    expect((await world.api(LOST, 'PATCH', '/v1/profile', { token: editor, body: { displayName: 'before' } })).status).toBe(200);
    await world.settleAll();
    oldCertificate = certificates.of(LOST);
    oldSession = await world.signIn(LOST, kept);

    held = new HeldReplication();
    await held.hold(edited.id);
    lostEdit = await world.api(LOST, 'PATCH', '/v1/profile', { token: editor, body: { displayName: 'lost' } });
    expect(lostEdit.status).toBe(200);
    lastTransfer = (await money.order(LOST, payer, payee.id, LAST)).body.id;
    onlyAccount = await world.register(LOST);
    const changing = await world.signIn(LOST, superseded);
    expect((await world.api(LOST, 'PUT', '/v1/password', { token: changing, body: { current: superseded.password, next: 'amber-lynx-1930' } })).status).toBe(204);
    await eventually(async () => {
      expect((await money.wallet('east', payee)).body.balance).toBe(BEFORE + LAST);
      for (const region of OTHERS) {
        const rows = await world.sql<{ id: string; epoch: string }>(region, 'SELECT id, epoch FROM account LEFT JOIN credential_epoch ON account = id WHERE id = ANY ($1)', [[onlyAccount.id, superseded.id]]);
        // The first epoch of an account comes with its password alone.
        expect(Object.fromEntries(rows.map(({ id, epoch }) => [id, epoch]))).toEqual({ [onlyAccount.id]: null, [superseded.id]: '2' });
      }
    });
    await destroy(LOST);
    await held.drop();
  });

  it('the others go on: they sign its users in, and queue what only it may do', async () => {
    const { world } = three;
    await world.untilCutSeen(OTHERS, LOST);
    for (const region of OTHERS) {
      expect((await world.trySignIn(region, kept)).status).toBe(201);
      await world.register(region, OTHERS.find((other) => other !== region));
    }
    queued = await money.order('east', payer, payee.id, QUEUED);
    expect(queued).toMatchObject({ status: 202, body: { status: 'queued' } });
  });

  it('it serves nobody when it comes back with empty disks, and says what to do', async () => {
    const { world } = three;
    for (const part of ['postgres', 'redis', 'kafka']) await world.part(LOST, part, { state: 'up' });
    await world.part(LOST, 'api', { state: 'up' });
    const ready = await eventually(async () => {
      const answer = await world.ops(LOST, 'GET', '/health/ready');
      expect(answer.text).toContain('npm run regions -- rebuild west');
      return answer;
    });
    expect(ready.status).toBe(503);
    mustBeProblem(await world.api(LOST, 'POST', '/v1/accounts', { body: { identifier: world.identifier(LOST), password: 'violet-otter-42' } }), 503, 'unavailable');
  });

  it('one command brings it back from what the others have, all equal, and lists what is lost', async () => {
    const { world } = three;
    await rebuild(LOST);
    await world.mustConverge();
    const { body } = await world.ops(LOST, 'GET', '/ops/status');
    expect(body).toMatchObject({
      incarnation: 2,
      rebuilt: { withoutPassword: { count: 1, ids: [onlyAccount.id] }, passwordSuperseded: { count: 1, ids: [superseded.id] }, withoutIdentifier: { count: 0 }, debitsReposted: 1, debitsUncovered: { count: 0 }, debitsUnknown: { count: 0 } },
    });
    for (const region of OTHERS) expect((await world.ops(region, 'GET', '/ops/status')).body.peers[LOST]).toMatchObject({ incarnation: 2, unknownDatabase: false });
  });

  it('no audit finds a difference, and none of its invariants is broken', async () => {
    for (const region of three.world.regions) {
      const { result } = await audited(three.world, region);
      expect(result).toMatchObject({ complete: true, alarm: false, missing: 0, different: 0, surplus: 0 });
      expect(result.invariants.filter(({ state }: { state: string }) => state !== 'held')).toEqual([]);
    }
  });

  it('its users sign in everywhere with what they had, and it registers, which reaches all', async () => {
    const { world } = three;
    const fresh = await world.register(LOST, 'east');
    await world.settleAll();
    for (const region of world.regions) for (const user of [kept, edited, fresh]) expect(await eventually(() => world.signIn(region, user))).toBeTruthy();
    for (const region of world.regions) mustBeProblem(await world.check(region, oldSession), 401, 'session-invalid');
  });

  it('a password that was replaced works nowhere, though the next one is lost', async () => {
    for (const region of three.world.regions) for (const user of [superseded, onlyAccount]) mustBeProblem(await three.world.trySignIn(region, user), 401, 'invalid-credentials');
  });

  it('money that was credited elsewhere is debited again, and what was queued is decided once', async () => {
    const { world } = three;
    for (const region of world.regions) {
      const token = await world.signIn(region, payer);
      for (const [id, amount] of [[settledBefore, BEFORE], [lastTransfer, LAST], [queued.body.id, QUEUED]] as const) {
        await eventually(async () => expect((await world.api(region, 'GET', `/v1/transfers/${id}`, { token })).body).toMatchObject({ status: 'settled', amount }));
      }
      await eventually(async () => expect((await world.api(region, 'GET', '/v1/wallet', { token })).body.balance).toBe(FUNDS - BEFORE - LAST - QUEUED));
    }
    await eventually(async () => expect((await money.wallet('east', payee)).body.balance).toBe(BEFORE + LAST + QUEUED));
  });

  it('who carries the token of a lost write is told that the answer may lack it, until the next write', async () => {
    const { world } = three;
    const consistency = lostEdit.headers['homeward-consistency'] as string;
    for (const region of world.regions) {
      const token = await world.signIn(region, edited);
      const answer = await world.api(region, 'GET', '/v1/profile', { token, consistency });
      expect(answer.body.fields.displayName).toBe('before');
      expect(answer.headers['homeward-read']).toBe('stale');
    }
    const token = await world.signIn(LOST, edited);
    const again = await world.api(LOST, 'PATCH', '/v1/profile', { token, consistency, body: { displayName: 'again' } });
    const next = again.headers['homeward-consistency'] as string;
    for (const region of world.regions) {
      const answer = await world.api(region, 'GET', '/v1/profile', { token: await world.signIn(region, edited), consistency: next });
      expect(answer.body.fields.displayName).toBe('again');
      expect(answer.headers['homeward-read']).not.toBe('stale');
    }
  });

  it('the incarnation before is refused by every peer', async () => {
    for (const region of OTHERS) {
      const answer = await callPeer({
        port: portOnLink(three.world, LOST, region, 'peer'), to: region, ca: certificates.ca, identity: oldCertificate, method: 'GET', path: '/peer/v1/heartbeat', headers: { 'homeward-from': LOST, 'homeward-to': region },
      });
      expect(answer).toMatchObject({ status: 403, body: { type: 'urn:homeward:problem:peer-refused', reason: 'superseded' } });
    }
  });

  it('it may be lost again', async () => {
    const { world } = three;
    const user = await world.register(LOST);
    await world.settleAll();
    await destroy(LOST);
    await rebuild(LOST);
    await world.mustConverge();
    expect((await world.ops(LOST, 'GET', '/ops/status')).body).toMatchObject({ incarnation: 3, rebuilt: { debitsReposted: 0 } });
    const after = await world.register(LOST, 'north');
    for (const region of world.regions) for (const known of [user, after]) expect(await eventually(() => world.signIn(region, known))).toBeTruthy();
    expect((await money.order('north', payer, payee.id, 1)).status).toBe(201);
  });
});

/** What a region's peers would know of it if another one had come in its place while it was away. */
const SUCCESSORS = [
  { name: 'with another database', set: 'identity = gen_random_uuid()', undo: 'identity = NULL', refused: 'another database' },
  { name: 'as the next incarnation', set: 'incarnation = incarnation + 1', undo: 'incarnation = incarnation - 1', refused: 'another database' },
];

describe.each(SUCCESSORS)('faults 34: a region that comes back beside a successor $name', ({ set, undo, refused }) => {
  const RETURNING = 'north';

  afterAll(async () => {
    const { world } = three;
    for (const region of ['east', LOST]) await world.sql(region, `UPDATE peer_incarnation SET ${undo} WHERE peer = $1`, [RETURNING]);
    for (const state of ['down', 'up']) await world.part(RETURNING, 'api', { state });
    await world.mustConverge();
  });

  it('counts as unreachable, learns it from them, and serves nobody', async () => {
    const { world } = three;
    for (const region of ['east', LOST]) await world.sql(region, `UPDATE peer_incarnation SET ${set} WHERE peer = $1`, [RETURNING]);
    await eventually(async () => {
      for (const region of ['east', LOST]) expect((await world.ops(region, 'GET', '/ops/status')).body.peers[RETURNING].link).toBe('down');
      const ready = await world.ops(RETURNING, 'GET', '/health/ready');
      expect(ready.status).toBe(503);
      expect(ready.text).toContain(refused);
    });
    mustBeProblem(await world.api(RETURNING, 'POST', '/v1/accounts', { body: { identifier: world.identifier(RETURNING), password: 'violet-otter-42' } }), 503, 'unavailable');
  });
});
