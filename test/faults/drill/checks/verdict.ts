import type { Final } from '../final.js';
import type { History } from '../history.js';
import type { Model } from '../model.js';
import type { Scenario } from '../scenario.js';
import type { Timeline } from '../timeline.js';

/** All that a check may look at. */
export interface Evidence {
  readonly history: History;
  readonly final: Final;
  readonly model: Model;
  readonly timeline: Timeline;
  readonly promises: Scenario['promises'];
}

/** One invariant, held or broken. */
export interface Verdict {
  readonly name: string;
  readonly promise: string;
  /** How many facts it was held against: with none it says nothing. */
  readonly checked: number;
  /** What breaks it, one line each. */
  readonly broken: readonly string[];
  /** Acknowledged writes that are not there any more. */
  readonly missing: number;
}

export type Check = (evidence: Evidence) => Verdict;

/** Collects what one check finds. */
export class Findings {
  private checked = 0;
  private missing = 0;
  private readonly broken: string[] = [];

  /** Looks at one fact. @param breach why it breaks the promise, undefined where it doesn't */
  look(breach: string | undefined): void {
    this.checked += 1;
    if (breach !== undefined) this.broken.push(breach);
  }

  /** Looks at one acknowledged write. @param breach why it is lost */
  lookForWrite(breach: string | undefined): void {
    this.look(breach);
    if (breach !== undefined) this.missing += 1;
  }

  verdict(name: string, promise: string): Verdict {
    return { name, promise, checked: this.checked, broken: this.broken, missing: this.missing };
  }
}

/** A moment of a drill, for people. */
export function at(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
