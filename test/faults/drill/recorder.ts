import type { Answer } from '../../regions/harness/call.js';
import type { FactsOf, Kind, Operation } from './history.js';
import { judgeAnswer } from './outcome.js';

/** Who asks where. */
export interface Asked {
  readonly region: string;
  readonly home: string;
  /** Digest of the identifier. */
  readonly user: string;
}

/** What a client has in hand after a call. */
export interface Told {
  readonly outcome: Operation['outcome'];
  readonly problem: string | undefined;
  readonly answer: Answer | undefined;
}

/** Writes down every client operation: when it began and ended, and what became of it. */
export class Recorder {
  readonly operations: Operation[] = [];
  readonly beganAt = new Date().toISOString();
  private readonly beganMs = performance.now();

  /** Milliseconds since the drill began. */
  now(): number {
    return performance.now() - this.beganMs;
  }

  /**
   * Makes one call and records it, however it ends.
   * @param learn what only a good answer tells
   */
  async record<K extends Kind>(kind: K, asked: Asked, facts: FactsOf[K], ask: () => Promise<Answer>, learn: (answer: Answer) => Partial<FactsOf[K]> = () => ({})): Promise<Told> {
    const startMs = this.now();
    // No answer is an outcome too: the connection was lost, or the deadline of the client passed.
    const answer = await ask().catch(() => undefined);
    const endMs = this.now();
    const judged = judgeAnswer(kind, asked.region, answer);
    const learned = judged.outcome === 'ok' ? learn(answer!) : {};
    this.operations.push({ kind, ...asked, startMs, endMs, ...judged, ...facts, ...learned } as Operation);
    return { outcome: judged.outcome, problem: judged.problem, answer };
  }
}

/** A profile's fields as the history has them. */
export function flatFields(fields: { attributes?: Record<string, string> } & Record<string, unknown>): Record<string, string> {
  const { attributes = {}, ...plain } = fields;
  return { ...(plain as Record<string, string>), ...Object.fromEntries(Object.entries(attributes).map(([key, value]) => [`attributes.${key}`, value])) };
}
