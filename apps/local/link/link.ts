import type { LinkPort } from '../ports.js';
import type { Flows } from './connection.js';
import { DeafPorts } from './deaf.js';
import { Forwarder } from './forwarder.js';
import type { Flow } from './pipe.js';

export const CUT_MODES = ['blackhole', 'hold', 'syn', 'refuse'] as const;
/** As in `recovery.md`, "Kinds of cut". */
export type CutMode = (typeof CUT_MODES)[number];

/** Which bytes a cut stops: those from one region to the other; the rest flow. */
export interface Cut {
  readonly mode: CutMode;
  readonly from: 'both' | string;
}

/** What a link may be told, any part of it; what isn't named stays. */
export interface LinkChange {
  /** `null` heals. */
  readonly cut?: Cut | null;
  readonly latencyMs?: number;
  readonly jitterMs?: number;
  /** Of a hundred parcels of bytes so many are lost on the way and sent again. */
  readonly lossPercent?: number;
}

/** TCP sends again a round trip and so much later (Linux' least). */
const RETRANSMIT_MS = 200;

const FLOW_WHEN_CUT: Readonly<Record<CutMode, Flow>> = { hold: 'held', blackhole: 'lost', syn: 'lost', refuse: 'reset' };

/** The network between two regions: everything that crosses it, both ways, in one state. */
export class Link {
  readonly a: string;
  readonly b: string;
  readonly #forwarders: { from: string; to: string; forwarder: Forwarder }[];
  #cut: Cut | null = null;
  #latencyMs = 0;
  #jitterMs = 0;
  #lossPercent = 0;
  #deaf: DeafPorts | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param ports all those between a and b, in both directions */
  constructor(a: string, b: string, ports: readonly LinkPort[]) {
    this.a = a;
    this.b = b;
    this.#forwarders = ports.map(({ from, to, port, target }) => ({ from, to, forwarder: new Forwarder(port, target, () => this.#delayMs()) }));
  }

  get connectionCount(): number {
    return this.#forwarders.reduce((sum, { forwarder }) => sum + forwarder.connectionCount, 0);
  }

  /** Its state as the control API shows it. */
  describe(): { state: 'up' | 'cut'; mode?: CutMode; direction?: string; latencyMs: number; jitterMs: number; lossPercent: number } {
    const speed = { latencyMs: this.#latencyMs, jitterMs: this.#jitterMs, lossPercent: this.#lossPercent };
    if (this.#cut === null) return { state: 'up', ...speed };
    const { mode, from } = this.#cut;
    const direction = from === 'both' ? 'both' : `${from}-to-${from === this.a ? this.b : this.a}`;
    return { state: 'cut', mode, direction, ...speed };
  }

  open(): Promise<void> {
    return this.#inTurn(() => this.#listen());
  }

  /** Returns after its effect, on established connections too. Any state may follow any other. */
  change(change: LinkChange): Promise<void> {
    return this.#inTurn(async () => {
      this.#latencyMs = change.latencyMs ?? this.#latencyMs;
      this.#jitterMs = change.jitterMs ?? this.#jitterMs;
      this.#lossPercent = change.lossPercent ?? this.#lossPercent;
      if (change.cut === undefined) return;
      this.#cut = change.cut;
      for (const { from, to, forwarder } of this.#forwarders) {
        if (change.cut?.mode === 'refuse') forwarder.resetAll();
        forwarder.setFlows(this.#flows(from, to));
      }
      await this.#listen();
    });
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => {
      for (const { forwarder } of this.#forwarders) {
        forwarder.close();
        forwarder.resetAll();
      }
      await this.#hearAgain();
    });
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(act, act);
    this.#turn = next.catch(() => undefined);
    return next;
  }

  #flows(from: string, to: string): Flows {
    return { forward: this.#flowFrom(from), backward: this.#flowFrom(to) };
  }

  #flowFrom(region: string): Flow {
    const cut = this.#cut;
    if (cut === null || (cut.from !== 'both' && cut.from !== region)) return 'open';
    return FLOW_WHEN_CUT[cut.mode];
  }

  /** Brings the listeners to what the state asks for: open, deaf (a lost packet either way hangs connecting), or closed. */
  async #listen(): Promise<void> {
    if (this.#cut?.mode === 'syn') return this.#goDeaf();
    await this.#hearAgain();
    await Promise.all(
      this.#forwarders.map(async ({ from, forwarder }) => {
        if (this.#flowFrom(from) === 'reset') forwarder.close();
        else await forwarder.open();
      }),
    );
  }

  async #goDeaf(): Promise<void> {
    if (this.#deaf !== undefined) return;
    const ports = this.#forwarders.map(({ forwarder }) => forwarder.port);
    const deaf = await DeafPorts.prepare(ports);
    for (const { forwarder } of this.#forwarders) forwarder.close();
    this.#deaf = deaf;
    await deaf.take(ports);
  }

  async #hearAgain(): Promise<void> {
    const deaf = this.#deaf;
    this.#deaf = undefined;
    await deaf?.release();
  }

  /** Uniform around the latency, once more after each loss; order is kept by the pipes, so what follows waits too, as with TCP. */
  #delayMs(): number {
    let delayMs = Math.max(0, this.#latencyMs + (2 * Math.random() - 1) * this.#jitterMs);
    while (Math.random() * 100 < this.#lossPercent) delayMs += RETRANSMIT_MS + 2 * this.#latencyMs;
    return delayMs;
  }
}
