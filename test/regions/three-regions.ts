import { expect } from 'vitest';
import { portBase } from './harness/config.js';
import { Runtime, type User, World, eventually } from './harness/index.js';

/** What healing may take besides the backlog (issue 3), with a busy machine's margin. */
const HEALED_MS = 10_000;
/** A machine that is busy with other things may delay a heartbeat; a region's absence would last. */
const HICCUP_MS = 5_000;
/** Between two rounds of writing during the cut: enough for a backlog, little enough for the machine. */
const ROUND_MS = 5_000;
const LOOK_MS = 200;
const REPLICATED = ['account', 'credential_epoch', 'password', 'profile', 'ended_session', 'signout'];

/** A deployment of three regions, apart from the one that other specs share. */
export class ThreeRegions {
  private constructor(
    readonly world: World,
    private readonly runtime: Runtime,
  ) {}

  static async start(): Promise<ThreeRegions> {
    const runtime = await Runtime.start({ portBase: portBase + 600, regions: ['east', 'west', 'north'], env: { HOMEWARD_ATTEMPTS_PER_ADDRESS: '100000' } });
    return new ThreeRegions(new World(runtime.address), runtime);
  }

  stop(): Promise<void> {
    return this.runtime.stop();
  }

  /** Cuts west off from both others for so long, while they go on and all three write; then heals, and all must be equal again by itself. */
  async cutOneOff(cutMs: number): Promise<void> {
    const { world } = this;
    const known = await Promise.all(world.regions.map((region) => world.register(region)));
    await world.settleAll();
    const before = await this.boots();
    const cutAtMs = performance.now();
    await Promise.all([world.cut('blackhole', { between: ['east', 'west'] }), world.cut('syn', { between: ['west', 'north'] })]);
    // From the first moment on.
    await this.mustNotNotice();
    await Promise.all([world.untilCutSeen(['west']), world.untilCutSeen(['east', 'north'], 'west')]);
    const refused = await world.api('east', 'POST', '/v1/accounts', { body: { identifier: world.identifier('west'), password: 'violet-otter-42' } });
    expect(refused).toMatchObject({ status: 503, body: { type: 'urn:homeward:problem:home-unavailable', home: 'west' } });
    do {
      await this.writeEverywhere(known);
      await new Promise((next) => setTimeout(next, ROUND_MS));
    } while (performance.now() - cutAtMs < cutMs - ROUND_MS);
    await this.mustNotNotice();
    await new Promise((over) => setTimeout(over, Math.max(0, cutMs - (performance.now() - cutAtMs))));

    await Promise.all([world.heal(['east', 'west']), world.heal(['west', 'north'])]);
    const healedAtMs = performance.now();
    const equalMs = await this.untilEqual(healedAtMs);
    console.log(`three regions: equal again after a cut of ${Math.round((healedAtMs - cutAtMs) / 1_000)} s, ms since healing: ${JSON.stringify(equalMs)}`);
    await world.mustConverge();
    expect(await this.boots()).toEqual(before);
    for (const user of known) for (const region of world.regions) expect(await eventually(() => this.signedInFully(region, user))).toBeTruthy();
  }

  /** Until every replicated table is the same everywhere. @returns when each was, in ms since `sinceMs` */
  async untilEqual(sinceMs: number): Promise<Record<string, number>> {
    const equalMs: Record<string, number> = {};
    for (;;) {
      for (const table of REPLICATED) {
        const error = table in equalMs ? undefined : await this.world.mustBeEqual(table).catch((why: unknown) => why);
        if (error === undefined) equalMs[table] ??= Math.round(performance.now() - sinceMs);
        else if (performance.now() - sinceMs > HEALED_MS) throw new Error(`${String(error)}\n${JSON.stringify(await this.seen())}`, { cause: error });
      }
      if (REPLICATED.every((table) => table in equalMs)) return equalMs;
      // Looking costs the databases more than they need to catch up.
      await new Promise((look) => setTimeout(look, LOOK_MS));
    }
  }

  /** Which processes of the services run: a restart would show. */
  async boots(): Promise<unknown[]> {
    return Promise.all(this.world.regions.map((region) => this.world.sql(region, `SELECT body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [region])));
  }

  /** What east and north do with each other; nothing of it may show that west is away. */
  private async mustNotNotice(): Promise<void> {
    const { world } = this;
    for (const [home, door] of [['east', 'north'], ['north', 'east']] as const) {
      const user = await world.register(home, door);
      const token = await world.signIn(door, user);
      for (const region of [home, door]) {
        expect(await eventually(() => this.signedInFully(region, user), HICCUP_MS)).toBeTruthy();
        await eventually(async () => expect(await world.check(region, token)).toMatchObject({ status: 200, body: { origin: door, account: { id: user.id } } }), HICCUP_MS);
      }
      const edited = await world.api(door, 'PATCH', '/v1/profile', { token, body: { displayName: `by ${door}` } });
      const consistency = edited.headers['homeward-consistency'] as string;
      expect(await world.api(home, 'GET', '/v1/profile', { token, consistency })).toMatchObject({ status: 200, body: { fields: { displayName: `by ${door}` } } });
      const next = `${user.password}-next`;
      expect((await world.api(door, 'PUT', '/v1/password', { token, body: { current: user.password, next } })).status).toBe(204);
      for (const region of [home, door]) {
        await eventually(async () => expect((await world.trySignIn(region, user)).status).toBe(401));
        expect(await eventually(() => this.signedInFully(region, { ...user, password: next }), HICCUP_MS)).toBeTruthy();
      }
    }
  }

  private async signedInFully(region: string, user: Pick<User, 'identifier' | 'password'>): Promise<string> {
    const answer = await this.world.trySignIn(region, user);
    expect(answer).toMatchObject({ status: 201, body: { assurance: 'full' } });
    return answer.body.token;
  }

  /** A round of writes in every region, so that each has a backlog for each. */
  private async writeEverywhere(known: readonly User[]): Promise<void> {
    const { world } = this;
    for (const region of world.regions) {
      const user = await world.register(region, region, { displayName: region });
      const token = await world.signIn(region, user);
      expect((await world.api(region, 'PUT', '/v1/password', { token, body: { current: user.password, next: `${user.password}-next` } })).status).toBe(204);
      expect((await world.api(region, 'DELETE', '/v1/sessions', { token })).status).toBe(204);
      for (const other of known) {
        const mine = await world.signIn(region, other);
        expect((await world.api(region, 'PATCH', '/v1/profile', { token: mine, body: { attributes: { [region]: String(Math.random()) } } })).status).toBe(200);
        expect((await world.api(region, 'DELETE', '/v1/sessions/current', { token: mine })).status).toBe(204);
      }
    }
  }

  /** What each region says of the others, for whoever has to find out why they differ. */
  private async seen(): Promise<unknown> {
    return Promise.all(this.world.regions.map(async (region) => {
      const { peers, streams, outbox, deadLetters, conflicts } = (await this.world.ops(region, 'GET', '/ops/status')).body;
      return { region, peers, streams, outbox, deadLetters, conflicts };
    }));
  }
}
