import type { Database } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { limits } from '#kernel/config';
import type { Logger } from '#kernel/telemetry';
import type { Heartbeat, StreamPositions } from '#kernel/wire';

const WRITE = {
  name: 'write-heartbeat',
  text: 'INSERT INTO heartbeat (region, body) VALUES ($1, $2) ON CONFLICT (region) DO UPDATE SET body = excluded.body',
};

/** The last written row is older than this: this region can not serve writes now, and says so to its peers. */
const SERVING_MS = 1_500;

/** What a heartbeat says besides the clocks. */
export interface BeatContent {
  heads(): StreamPositions;
  routes(): { version: number; digest: string } | undefined;
  macKeys(): readonly number[];
  readonly schema: number;
  identity(): string | undefined;
}

/** Says every 250 ms, in both channels, that this region lives and how far its streams are (design, rules 3 and 5). */
export class Beat {
  readonly id = 'beat';
  private beat = 0;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;
  private writtenAtMonoMs = -Infinity;

  constructor(
    private readonly own: string,
    private readonly clock: Clock,
    private readonly content: BeatContent,
    private readonly database: Database,
    private readonly overKafka: (heartbeat: Heartbeat) => void,
    private readonly logger: Logger,
  ) {}

  run(): void {
    this.timer = setInterval(() => this.tick(), limits.heartbeatIntervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.writing;
  }

  /** What is said now; undefined until this region knows its own routes. */
  now(): Heartbeat | undefined {
    const routes = this.content.routes();
    if (routes === undefined) return undefined;
    const { bootId: boot } = this.clock;
    const identity = this.content.identity();
    return {
      region: this.own, boot, beat: this.beat, monoMs: this.clock.monoMs(), wallMs: this.clock.wallMs(),
      heads: this.content.heads(), routes, macKeys: [...this.content.macKeys()], schema: this.content.schema, ...(identity === undefined ? {} : { identity }),
    };
  }

  /** Whether this region's database took a heartbeat lately, so that a peer's call has a chance. */
  get serving(): boolean {
    return this.clock.monoMs() - this.writtenAtMonoMs < SERVING_MS;
  }

  private tick(): void {
    this.beat += 1;
    const heartbeat = this.now();
    if (heartbeat === undefined) return;
    this.overKafka(heartbeat);
    // A beat that the database has not taken yet is not queued behind: the next one says more.
    this.writing ??= this.write(heartbeat).finally(() => (this.writing = undefined));
  }

  private async write(heartbeat: Heartbeat): Promise<void> {
    try {
      await this.database.write(WRITE, [this.own, JSON.stringify(heartbeat)]);
      this.writtenAtMonoMs = this.clock.monoMs();
    } catch (error) {
      this.logger.debug({ err: error }, 'a heartbeat could not be written');
    }
  }
}
