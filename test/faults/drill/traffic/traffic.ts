import type { Operation } from '../history.js';
import { inTurns } from '../in-turns.js';
import type { Scenario } from '../scenario.js';
import { Device, type Surroundings } from './device.js';
import { Registrar } from './registrar.js';
import type { SyntheticUser } from './user.js';

/** What each user has at first: enough for some transfers, too little for all. */
export const DEPOSIT = 1_000;
/** How often each thing is done: mostly cheap calls, since every hash takes a core for some 20 ms. */
const WEIGHTS = {
  check: 30, 'read-profile': 16, 'edit-profile': 16, 'sign-in': 8, 'sign-out': 5, 'sign-out-all': 1.5, 'change-password': 2.5,
  register: 4, 'try-old-password': 2, 'try-ended-session': 5, 'read-wallet': 8, transfer: 12,
};
/** An order is given in two regions at once so often. */
const TWICE = 0.15;
/** Calls under way at once: beyond it a call that is due is left out, so that a region which hangs doesn't pile up clients. */
const MOST_AT_ONCE = 48;
/** Whatever needs another region is asked there this often. */
const ELSEWHERE = 0.35;
/** A user who has just registered signs in elsewhere at once. */
const TRAVELS = 0.3;
/** Rounds of asking again for what is not known, when all has healed. */
const RESOLVE_ROUNDS = 20;
const ROUND_MS = 500;

/** Synthetic users who go on with their lives in every region, at a fixed rate, while the faults come and go. */
export class Traffic {
  readonly registrar: Registrar;
  readonly users: SyntheticUser[] = [];
  /** Calls that were due and left out because too many were under way. */
  leftOut = 0;
  private readonly devices: { device: Device; region: string }[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private going = false;
  private pacing: Promise<void> = Promise.resolve();

  constructor(
    private readonly around: Surroundings,
    private readonly scenario: Pick<Scenario, 'regions' | 'traffic'>,
  ) {
    this.registrar = new Registrar(around);
  }

  /** Registers the users, each with a device signed in in every region. @throws Error where that fails: nothing is at fault yet */
  async prepare(): Promise<void> {
    const { regions, traffic } = this.scenario;
    const homes = Array.from({ length: traffic.usersPerRegion * regions.length }, (_, index) => regions[index % regions.length]!);
    await inTurns(homes, async (home) => {
      const user = await this.registrar.register(home, home);
      if (user === undefined) throw new Error(`no user could be registered in ${home} before the drill`);
      this.users.push(user);
    });
    await inTurns(this.users, (user) => this.deposit(user));
    await this.around.world.settleAll();
    this.devices.push(...this.users.flatMap((user) => regions.map((region) => ({ device: new Device(`${user.digest}.${region}`, user, this.around), region }))));
    await inTurns(this.devices, ({ device, region }) => device.signIn(region));
  }

  /** One more operation like this one, by whoever is free for it. */
  async again(like: Operation): Promise<void> {
    const { kind, region, home } = like;
    if (kind === 'register') return void (await this.registrar.register(region, home));
    // Who has just registered is not known elsewhere yet, so that the home has to be asked.
    if (kind === 'sign-in' && region !== home) {
      const user = await this.registrar.register(home, home);
      return user === undefined ? undefined : new Device(`${user.digest}.new`, user, this.around).signIn(region);
    }
    if (kind === 'try-old-password' || kind === 'try-ended-session') return;
    const free = this.devices.find(({ device }) => !device.busy && device.user.home === home && !device.user.calm);
    if (free !== undefined) await this.use(free.device, async (device) => {
      if ('origin' in like && device.session?.origin !== like.origin) await device.signIn(like.origin);
      await this.act(kind, device, region);
    });
  }

  private async deposit({ account, home }: SyntheticUser): Promise<void> {
    const answer = await this.around.world.ops(home, 'POST', '/ops/deposits', { body: { account, amount: DEPOSIT, key: `drill-${account}` } });
    if (answer.status !== 200 && answer.status !== 201) throw new Error(`a deposit answered ${answer.status}: ${answer.text}`);
  }

  run(): void {
    this.going = true;
    this.pacing = this.pace();
  }

  /** Ends it; what is under way is waited for. */
  async stop(): Promise<void> {
    this.going = false;
    await this.pacing;
    await Promise.all(this.underWay);
  }

  /** When all has healed: asks again for everything whose outcome is not known. */
  async resolve(): Promise<void> {
    const { regions } = this.scenario;
    for (let round = 0; round < RESOLVE_ROUNDS; round += 1) {
      let open = await this.registrar.resolve(regions[round % regions.length]!);
      for (const { device, region } of this.devices) {
        if (await device.finishLeaving(region)) open += 1;
        if (device.user.change !== undefined) {
          open += 1;
          await device.changePassword(region);
        }
        if (device.user.orders.length === 0) continue;
        open += device.user.orders.length;
        await device.transfer(region, device.user);
      }
      if (open === 0) return;
      await new Promise((next) => setTimeout(next, ROUND_MS));
    }
  }

  private async pace(): Promise<void> {
    const gapMs = 1_000 / this.scenario.traffic.perSecond;
    for (let dueMs = performance.now(); this.going; dueMs += gapMs) {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await new Promise((due) => setTimeout(due, waitMs));
      if (this.underWay.size >= MOST_AT_ONCE) this.leftOut += 1;
      else this.begin();
    }
  }

  private begin(): void {
    const work = this.next().finally(() => this.underWay.delete(work));
    this.underWay.add(work);
  }

  /** Chosen before anything is waited for, so that one seed gives one sequence of choices as long as the same devices are free. */
  private async next(): Promise<void> {
    const { random } = this.around;
    const kind = random.weighed(WEIGHTS);
    if (kind === 'register') return this.register();
    const free = this.devices.filter(({ device }) => !device.busy && (!device.user.calm || (kind !== 'change-password' && kind !== 'sign-out-all')));
    if (free.length === 0) return;
    const { device, region } = random.pick(free);
    await this.use(device, () => this.act(kind, device, this.door(region)));
  }

  private async use(device: Device, work: (device: Device) => Promise<void>): Promise<void> {
    device.busy = true;
    try {
      await work(device);
    } finally {
      device.busy = false;
    }
  }

  private async act(kind: Exclude<keyof typeof WEIGHTS, 'register'>, device: Device, region: string): Promise<void> {
    if (await device.finishLeaving(region)) return;
    switch (kind) {
      case 'check': return device.check(region);
      case 'read-profile': return device.readProfile(region);
      case 'edit-profile': return device.editProfile(region);
      case 'sign-in': return device.signIn(region);
      case 'sign-out': return device.signOut(region);
      case 'sign-out-all': return device.signOut(region, true);
      case 'change-password': return device.changePassword(region);
      case 'try-old-password': return device.tryOldPassword(region);
      case 'try-ended-session': return device.tryEndedSession(region);
      case 'read-wallet': return device.readWallet(region);
      case 'transfer': return this.transfer(device, region);
    }
  }

  private async transfer(device: Device, region: string): Promise<void> {
    const { random } = this.around;
    const others = this.scenario.regions.filter((name) => name !== region);
    await device.transfer(region, random.pick(this.users.filter((user) => user !== device.user)), random.chance(TWICE) ? random.pick(others) : undefined);
  }

  private async register(): Promise<void> {
    const { random } = this.around;
    const { regions } = this.scenario;
    const [door, home] = [random.pick(regions), random.pick(regions)];
    const travels = random.chance(TRAVELS);
    const user = await this.registrar.register(door, home);
    if (user === undefined || !travels) return;
    await new Device(`${user.digest}.new`, user, this.around).signIn(random.pick(regions.filter((region) => region !== door)));
  }

  private door(region: string): string {
    const { random } = this.around;
    return random.chance(ELSEWHERE) ? random.pick(this.scenario.regions) : region;
  }
}
