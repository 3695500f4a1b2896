import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MacKey } from '#kernel/ids';
import { portBase } from '../regions/harness/config.js';
import { Runtime, type User, World, eventually } from '../regions/harness/index.js';
import { readMetrics, sumOf } from '../regions/harness/metrics.js';
import { Certificates, type Identity } from '../regions/harness/peer-call.js';
import { untilKnownEverywhere } from '../regions/situations.js';

/** Apart from the deployment that other specs share: its keys and certificates are changed. */
const BASE = portBase + 600;
const [EAST, WEST] = ['east', 'west'] as const;
const DAY_MS = 24 * 3_600_000;
/** How long a certificate of the local runtime is good for. */
const LIFE_DAYS = 397;

let runtime: Runtime;
let world: World;
let user: User;
let certificates: Certificates;

beforeAll(async () => {
  runtime = await Runtime.start({ portBase: BASE });
  world = new World(runtime.address);
  certificates = new Certificates(world);
  user = await world.register(EAST);
  await untilKnownEverywhere(world, user.id);
});
afterAll(async () => {
  certificates.remove();
  await runtime.stop();
});
afterEach(() => world.heal());

const newKey = (id: number): MacKey => ({ id, secret: randomBytes(32).toString('base64url') });
const keyFile = (): string => join(world.address.data, 'mac-keys.json');
const keysOnDisk = (): MacKey[] => JSON.parse(readFileSync(keyFile(), 'utf8'));
/** The first byte of a token's mac names the key. */
const keyOf = (token: string): number => Buffer.from(token.split('.')[2]!, 'base64url')[0]!;

function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

async function status(region: string): Promise<any> {
  return (await world.ops(region, 'GET', '/ops/status')).body;
}

/** Until both regions know these keys and sign with that one. */
function untilKeys(known: readonly number[], signing: number): Promise<void> {
  return eventually(async () => {
    for (const region of world.regions) expect((await status(region)).macKeys).toEqual({ known, signing, problem: null });
  });
}

async function mustVerify(tokens: readonly string[]): Promise<void> {
  for (const region of world.regions) for (const token of tokens) {
    expect(await world.check(region, token), `${token} in ${region}`).toMatchObject({ status: 200, body: { account: { id: user.id } } });
  }
}

describe('faults 32: mac keys rotated during a cut', () => {
  let old: string[];

  it('every token goes on, and a new key signs only after every peer has confirmed it', async () => {
    const [first] = keysOnDisk();
    old = [await world.signIn(EAST, user), await world.signIn(WEST, user)];
    const edited = await world.api(EAST, 'PATCH', '/v1/profile', { token: old[0]!, body: { bio: 'before' } });
    const consistency = String(edited.headers['homeward-consistency']);
    await mustVerify(old);
    await world.cut();
    await world.untilCutSeen();
    replaceFile(keyFile(), JSON.stringify([first, newKey(2)]));
    await untilKeys([1, 2], 1);
    const during = [await world.signIn(EAST, user), await world.signIn(WEST, user)];
    expect(during.map(keyOf)).toEqual([1, 1]);
    expect((await world.check(EAST, during[0]!)).status).toBe(200);
    expect((await world.check(WEST, during[1]!)).status).toBe(200);
    await untilKeys([1, 2], 1);

    await world.heal();
    await untilKeys([1, 2], 2);
    await world.settleAll();
    const after = [await world.signIn(EAST, user), await world.signIn(WEST, user)];
    expect(after.map(keyOf)).toEqual([2, 2]);
    await mustVerify([...old, ...during, ...after]);
    // The old consistency token still tells what its client wrote: it is carried on into the next one.
    const again = await world.api(WEST, 'PATCH', '/v1/profile', { token: old[1]!, consistency, body: { bio: 'after' } });
    const merged = Buffer.from(String(again.headers['homeward-consistency']), 'base64url').toString('latin1');
    expect(merged).toContain(EAST);
    expect(merged).toContain(WEST);
    old.push(...during);
  });

  it('a file that can not be kept is not taken, and told', async () => {
    const before = keysOnDisk();
    const good = readFileSync(keyFile(), 'utf8');
    const [first, second] = before as [MacKey, MacKey];
    for (const [text, why] of [['[{"id": 1', /not a list/], [JSON.stringify([first]), /signs/], [JSON.stringify([first, { ...second, secret: newKey(2).secret }]), /another secret/], [JSON.stringify([first, second, { id: 3, secret: 'c2hvcnQ' }]), /not a list/]] as const) {
      replaceFile(keyFile(), text);
      await eventually(async () => {
        for (const region of world.regions) expect((await status(region)).macKeys).toMatchObject({ known: [1, 2], signing: 2, problem: expect.stringMatching(why) });
      });
    }
    await mustVerify(old);
    replaceFile(keyFile(), good);
    await untilKeys([1, 2], 2);
  });

  it('a key that was removed ends the tokens that it made, and no others', async () => {
    const fresh = await world.signIn(EAST, user);
    await mustVerify([...old, fresh]);
    replaceFile(keyFile(), JSON.stringify(keysOnDisk().filter(({ id }) => id === 2)));
    await untilKeys([2], 2);
    for (const region of world.regions) for (const token of old) expect((await world.check(region, token)).body.type).toBe('urn:homeward:problem:session-invalid');
    await mustVerify([fresh]);
  });

  it('goes on with the keys of the file after a restart', async () => {
    await world.part(WEST, 'api', { state: 'down', signal: 'SIGKILL' });
    await world.part(WEST, 'api', { state: 'up' });
    await world.settleAll();
    expect(keyOf(await world.signIn(WEST, user))).toBe(2);
  });
});

describe('faults 31: certificates', () => {
  const tlsFile = (region: string, kind: 'crt' | 'key'): string => join(world.address.data, 'tls', `${region}.${kind}`);

  /** Puts a pair in the place of a region's own, the key first. */
  function renew(region: string, { cert, key }: Identity): void {
    replaceFile(tlsFile(region, 'key'), key);
    replaceFile(tlsFile(region, 'crt'), cert);
  }

  async function expirySeconds(region: string, certificate: string): Promise<number | undefined> {
    return sumOf(readMetrics((await world.ops(region, 'GET', '/metrics')).text), 'homeward_certificate_expiry_seconds', { certificate });
  }

  /** Until a region tells of its own certificate, and its peer of it, that it lasts so many days. */
  async function untilTold(region: string, days: number): Promise<void> {
    const peer = region === EAST ? WEST : EAST;
    await eventually(async () => {
      for (const [teller, name] of [[region, 'own'], [peer, region]] as const) {
        const told = (await status(teller)).certificates[name];
        expect(told.expiresInMs / DAY_MS).toBeCloseTo(days, 0);
        expect(told.expiring).toBe(days < 14);
        expect((await expirySeconds(teller, name))! * 1_000 / DAY_MS).toBeCloseTo(days, 0);
      }
    });
  }

  const log = (region: string): string => readFileSync(join(world.address.data, 'logs', `${region}-api.log`), 'utf8');
  const warnings = (region: string): string[] => log(region).split('\n').filter((line) => line.includes('a certificate expires soon'));

  it('are told with their expiry, and nothing is announced while it is far', async () => {
    await untilTold(EAST, LIFE_DAYS);
    await untilTold(WEST, LIFE_DAYS);
    expect([...warnings(EAST), ...warnings(WEST)]).toEqual([]);
  });

  it('that expire within 14 days are announced by the region and by its peer, and taken from disk without a restart', async () => {
    renew(WEST, await certificates.signedHere(WEST, Date.now() - (LIFE_DAYS - 10) * DAY_MS));
    await untilTold(WEST, 10);
    await eventually(() => {
      expect(warnings(WEST).some((line) => line.includes('"certificate":"own"'))).toBe(true);
      expect(warnings(EAST).some((line) => line.includes(`"certificate":"${WEST}"`))).toBe(true);
    });
    // Both directions go on with it.
    await world.register(EAST, WEST);
    await world.register(WEST, EAST);
    await world.settleAll();
  });

  it('that are of another authority, of another region, or no pair are not taken', async () => {
    const good: Identity = { cert: readFileSync(tlsFile(WEST, 'crt'), 'utf8'), key: readFileSync(tlsFile(WEST, 'key'), 'utf8') };
    const other = await certificates.signedHere(WEST);
    const wrong: [string, Identity][] = [
      ['is of another authority', await certificates.ofAnotherDeployment(WEST)], ['names another region', await certificates.signedHere('north')],
      ['are not a pair', { cert: other.cert, key: good.key }], ['has expired', await certificates.signedHere(WEST, Date.now() - 500 * DAY_MS)],
    ];
    for (const [why, pair] of wrong) {
      const before = log(WEST).length;
      renew(WEST, pair);
      await eventually(() => expect(log(WEST).slice(before)).toMatch(new RegExp(`${why}.*the certificate on disk is not taken`)));
      expect((await status(WEST)).certificates.own.expiresInMs / DAY_MS).toBeCloseTo(10, 0);
    }
    renew(WEST, await certificates.signedHere(WEST));
    await untilTold(WEST, LIFE_DAYS);
  });

  it('that expire while a connection lasts end it: the next call on it is refused and counted', async () => {
    const identity = await certificates.signedHere(EAST, Date.now() - LIFE_DAYS * DAY_MS + 6_000);
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: certificates.ca, servername: WEST, ...identity });
    const beat = (): Promise<{ status: number; reused: boolean }> => new Promise((resolve, reject) => {
      const call = request({ agent, host: '127.0.0.1', port: world.ports(WEST).peer, path: '/peer/v1/heartbeat', headers: { 'homeward-from': EAST, 'homeward-to': WEST } }, (answer) => {
        answer.resume().on('end', () => resolve({ status: answer.statusCode!, reused: call.reusedSocket }));
      });
      call.on('error', reject).end();
    });
    const expired = async (): Promise<number> => sumOf(readMetrics((await world.ops(WEST, 'GET', '/metrics')).text), 'homeward_peer_calls_refused_total', { reason: 'expired' }) ?? 0;
    try {
      const before = await expired();
      expect(await beat()).toEqual({ status: 200, reused: false });
      const last = await eventually(async () => {
        const answer = await beat();
        expect(answer.status).toBe(403);
        return answer;
      });
      expect(last.reused).toBe(true);
      expect(await expired()).toBe(before + 1);
    } finally {
      agent.destroy();
    }
  });
});
