import type { Logger } from '#kernel/telemetry';

/** A small chore that runs now and then; a failure is left to the next time. */
export class Every {
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | undefined;

  constructor(
    readonly id: string,
    private readonly intervalMs: number,
    private readonly chore: () => Promise<void>,
    private readonly logger: Logger,
  ) {}

  run(): void {
    this.timer = setInterval(() => {
      this.underWay ??= this.chore()
        .catch((error: unknown) => this.logger.debug({ err: error, chore: this.id }, 'a chore is left to the next time'))
        .finally(() => (this.underWay = undefined));
    }, this.intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.underWay;
  }
}
