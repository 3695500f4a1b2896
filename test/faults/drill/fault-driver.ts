import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../regions/harness/eventually.js';
import type { World } from '../../regions/harness/world.js';
import { CatchUp } from './catch-up.js';
import type { AppliedFault } from './history.js';
import { OneAtATime } from './one-at-a-time.js';
import type { Recorder } from './recorder.js';
import { type Fault, describeFault, occurrences } from './scenario.js';
import { faultyParts } from './timeline.js';
import type { Prober } from './traffic/prober.js';

/** A part on a busy machine may need more than one call's time to come back. */
const HEAL_MS = 120_000;

const QUICK = { latencyMs: 0, jitterMs: 0, lossPercent: 0 };

/** Makes faults and ends them, through the control of the local runtime, and notes when each was really in force. */
export class FaultDriver {
  readonly applied: AppliedFault[] = [];
  private active = 0;
  private readonly things = new OneAtATime();
  /** Where one fault can't be made or ended, no other begins, and those in force end. */
  private readonly over = new AbortController();
  private readonly catchingUp = new Set<CatchUp>();
  /** Faults that went while others were in force: whether what they made fail works again is seen when the last one has gone. */
  private readonly gone: AppliedFault[] = [];

  constructor(
    private readonly world: World,
    private readonly recorder: Recorder,
    private readonly say: (line: string) => void,
    private readonly prober: Prober,
  ) {}

  /** Plays all faults from now on. Resolves when the last has gone; what was applied is healed whatever happens. */
  async play(faults: readonly Fault[]): Promise<void> {
    const beganMs = this.recorder.now();
    await Promise.all(occurrences(faults).map((fault) => this.one(fault, beganMs).catch((error: unknown) => {
      this.over.abort();
      throw error;
    })));
  }

  /** Links up and quick, parts up, clocks right. */
  async healAll(): Promise<void> {
    const { world } = this;
    for (const a of world.regions) for (const b of world.regions) if (a < b) await world.control('PUT', `/links/${a}/${b}`, { state: 'up', ...QUICK });
    await eventually(() => world.bringUp(), HEAL_MS);
    for (const region of world.regions) await world.clock(region, 0);
  }

  private async one(fault: Fault, beganMs: number): Promise<void> {
    await this.until(beganMs + fault.atS * 1_000);
    // A part takes as long as it takes to come back: ending one fault of it would end the next one too.
    const giveBack = await this.things.hold(thingsOf(fault));
    try {
      if (!this.over.signal.aborted) await this.alone(fault, giveBack);
    } finally {
      giveBack();
    }
  }

  /** @param over called when it has gone */
  private async alone(fault: Fault, over: () => void): Promise<void> {
    this.active += 1;
    for (const watch of this.catchingUp) watch.abandon();
    const startMs = this.recorder.now();
    await this.apply(fault);
    const inForceMs = this.recorder.now();
    this.say(`${describeFault(fault)}, for ${fault.forS} s`);
    await this.until(startMs + fault.forS * 1_000);
    const healMs = this.recorder.now();
    await eventually(() => this.heal(fault), HEAL_MS);
    const endMs = this.recorder.now();
    over();
    this.active -= 1;
    this.say(`${describeFault(fault)}: over${endMs - healMs > 1_000 ? `, ${((endMs - healMs) / 1_000).toFixed(1)} s after it was asked to be` : ''}`);
    const gone: AppliedFault = { fault, startMs, inForceMs, healMs, endMs };
    const index = this.applied.push(gone) - 1;
    this.gone.push(gone);
    if (this.active > 0) return;
    const probed = this.gone.splice(0).map((each) => this.prober.run(each, this.applied, () => this.active === 0));
    const [caughtUpMs] = await Promise.all([this.untilCaughtUp(), ...probed]);
    if (caughtUpMs !== undefined) this.applied[index] = { ...gone, caughtUpMs };
  }

  /** @returns undefined where the next fault came before */
  private async untilCaughtUp(): Promise<number | undefined> {
    const watch = new CatchUp(this.world, this.say);
    this.catchingUp.add(watch);
    try {
      return await watch.run();
    } finally {
      this.catchingUp.delete(watch);
    }
  }

  private apply(fault: Fault): Promise<unknown> {
    const { world } = this;
    switch (fault.fault) {
      case 'cut': return world.cut(fault.mode, { between: fault.between, direction: fault.direction });
      case 'slow': return world.control('PUT', linkPath(fault.between), { latencyMs: fault.latencyMs, jitterMs: fault.jitterMs, lossPercent: fault.lossPercent });
      case 'kill': return world.part(fault.region, fault.part, { state: 'down', signal: 'SIGKILL' });
      case 'freeze': return world.part(fault.region, fault.part, { state: 'frozen' });
      case 'clock': return world.clock(fault.region, fault.offsetMs);
    }
  }

  private heal(fault: Fault): Promise<unknown> {
    const { world } = this;
    switch (fault.fault) {
      case 'cut': return world.heal(fault.between);
      case 'slow': return world.control('PUT', linkPath(fault.between), QUICK);
      case 'kill':
      case 'freeze': return world.part(fault.region, fault.part, { state: 'up' });
      case 'clock': return world.clock(fault.region, 0);
    }
  }

  private async until(ms: number): Promise<void> {
    const waitMs = ms - this.recorder.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: this.over.signal }).catch(() => undefined);
  }
}

/** What no other fault may be of while this one lasts. */
function thingsOf(fault: Fault): string[] {
  return fault.fault === 'clock' ? [`${fault.region}/clock`] : faultyParts({ fault });
}

function linkPath([a, b]: readonly [string, string]): string {
  return `/links/${a}/${b}`;
}
