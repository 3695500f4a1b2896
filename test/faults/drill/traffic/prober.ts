import type { AppliedFault, Operation } from '../history.js';
import type { Recorder } from '../recorder.js';
import { recoveryFrom } from '../recovery.js';
import type { Traffic } from './traffic.js';

/** How often what had failed is tried again, and for how long: often enough to see a second, seldom enough to be no load of its own. */
const EVERY_MS = 250;
const LONGEST_MS = 15_000;

/** Asks again, as soon as a fault is over, for each kind of operation that it made fail: so the time until it works again is known. */
export class Prober {
  constructor(
    private readonly traffic: Traffic,
    private readonly recorder: Recorder,
  ) {}

  /**
   * @param faults all of the drill so far, this one among them
   * @param goesOn false once another fault has come
   */
  async run(fault: AppliedFault, faults: readonly AppliedFault[], goesOn: () => boolean): Promise<void> {
    const { failed } = recoveryFrom(fault, this.recorder.operations, faults);
    const last = new Map(failed.map((operation) => [operation.kind, operation]));
    await Promise.all([...last.values()].map((operation) => this.untilItWorks(operation, fault, faults, goesOn)));
  }

  private async untilItWorks(operation: Operation, fault: AppliedFault, faults: readonly AppliedFault[], goesOn: () => boolean): Promise<void> {
    while (goesOn() && this.recorder.now() - fault.endMs < LONGEST_MS) {
      const since = this.recorder.operations.filter(({ startMs, endMs }) => startMs >= fault.startMs || endMs >= fault.endMs);
      if (typeof recoveryFrom(fault, since, faults).worksAgainMs[operation.kind] === 'number') return;
      await this.traffic.again(operation);
      await new Promise((next) => setTimeout(next, EVERY_MS));
    }
  }
}
