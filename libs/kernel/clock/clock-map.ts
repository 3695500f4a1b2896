/** How many answers are kept to choose the quickest of: 8 s of heartbeats, in which two quartz clocks drift apart by less than 2 ms. */
const keptSamples = 32;

/** One answered heartbeat: the peer's clocks, and ours when it was sent and when the answer came (milliseconds). */
export interface HeartbeatSample {
  peerBoot: string;
  peerMonoMs: number;
  peerWallMs: number;
  sentAtMonoMs: number;
  receivedAtMonoMs: number;
  /** Our wall clock when the answer came. */
  receivedAtWallMs: number;
}

/**
 * What is known here about one peer's clocks, learnt from heartbeats over HTTP alone, because only a question with its answer bounds the time on the
 * way. Wall clocks are never trusted for decisions: deadlines and ages use monotonic clocks; `skewMs` and `peerWallAt` are for reporting.
 */
export class ClockMap {
  #samples: HeartbeatSample[] = [];

  /** Adds an answer; one older than the newest is ignored, and a new boot of the peer forgets the old one's answers, since its clock begins anew. */
  record(sample: HeartbeatSample): void {
    const newest = this.#samples.at(-1);
    if (newest !== undefined && sample.receivedAtMonoMs < newest.receivedAtMonoMs) return;
    if (newest !== undefined && sample.peerBoot !== newest.peerBoot) this.#samples = [];
    this.#samples.push(sample);
    if (this.#samples.length > keptSamples) this.#samples.shift();
  }

  /**
   * The least that the peer's monotonic clock can show at a moment of ours: the last heartbeat plus what elapsed since it came. A deadline on the
   * receiver's clock made from it is never later than meant, so what was refused here doesn't happen there afterwards (design.md, rule 5).
   * Undefined before the first answer. Send the peer's boot with it: the number means nothing to another boot.
   */
  peerMonoAt(localMonoMs: number): number | undefined {
    const newest = this.#samples.at(-1);
    return newest === undefined ? undefined : newest.peerMonoMs + (localMonoMs - newest.receivedAtMonoMs);
  }

  /**
   * The age in ms, at a moment of ours, of something that the peer stamped with its monotonic clock. The best estimate: from the answer with the least
   * round trip, taking its middle, wrong by at most half of it. Never negative; undefined when the stamp is of another boot than the peer's last answer.
   */
  ageOf(peerBoot: string, peerMonoMs: number, localNowMonoMs: number): number | undefined {
    const best = this.#quickest();
    if (best === undefined || best.peerBoot !== peerBoot) return undefined;
    const peerNowMs = best.peerMonoMs + (localNowMonoMs - middleOf(best));
    return Math.max(0, peerNowMs - peerMonoMs);
  }

  /** What the peer's wall clock shows at a moment of ours, if it has gone on evenly since the last answer; our own wall clock, which may have jumped, is not asked. */
  peerWallAt(localMonoMs: number): number | undefined {
    const newest = this.#samples.at(-1);
    return newest === undefined ? undefined : newest.peerWallMs + (localMonoMs - middleOf(newest));
  }

  /** How far the peer's wall clock is ahead of ours, in ms, by the last answer at the middle of its round trip; undefined before the first. */
  skewMs(): number | undefined {
    const newest = this.#samples.at(-1);
    if (newest === undefined) return undefined;
    return newest.peerWallMs - (newest.receivedAtWallMs - roundTripOf(newest) / 2);
  }

  #quickest(): HeartbeatSample | undefined {
    let best: HeartbeatSample | undefined;
    for (const sample of this.#samples) {
      // Of equals the newer one, whose clocks have drifted less.
      if (best === undefined || roundTripOf(sample) <= roundTripOf(best)) best = sample;
    }
    return best;
  }
}

function roundTripOf(sample: HeartbeatSample): number {
  return sample.receivedAtMonoMs - sample.sentAtMonoMs;
}

function middleOf(sample: HeartbeatSample): number {
  return (sample.receivedAtMonoMs + sample.sentAtMonoMs) / 2;
}
