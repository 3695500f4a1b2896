import type { Server } from 'node:http';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type RegionConfig, limits } from '#kernel/config';
import type { Logger } from '#kernel/telemetry';
import { createListeners } from './listeners.js';
import { type Region, createRegion } from './region.js';

/** How soon after its answer a connection of a stopping listener is closed. */
const SWEEP_MS = 25;
/** How long a stopping listener still takes what the kernel has accepted for it. */
const READ_ON_MS = 100;

/** One region's service as a process: started, told by signals or its parent, stopped gracefully. */
export class Process {
  private readonly region: Region;
  private apps: NestFastifyApplication[] = [];
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly config: RegionConfig,
    private readonly logger: Logger,
  ) {
    this.region = createRegion(config, logger);
  }

  async start(): Promise<void> {
    const { running, database } = this.region;
    const { routes, deliveryQueue, noticeChannels, incarnations } = this.region;
    database.whenReady(() => void this.untilDone(() => incarnations.load(), 'what is known of peers could not be read yet'));
    database.whenReady(() => void this.untilDone(() => routes.load(), 'the route table could not be read yet'));
    database.whenReady(() => void this.untilDone(() => deliveryQueue.use(noticeChannels), 'the channels of notifications could not be written yet'));
    for (const part of running) part.run();
    const listeners = await createListeners(this.region);
    this.apps = listeners.map(({ app }) => app);
    for (const { app, port } of listeners) await app.listen(port, this.config.host);
    this.logger.info({ ports: this.config.ports }, 'listening');
  }

  /** SIGTERM, SIGINT and the loss of the parent stop it; a parent may set its clock. */
  followSignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.end(signal));
    process.on('disconnect', () => this.end('the parent is gone'));
    process.on('message', (message: { type?: string; offsetMs?: number }) => {
      if (message.type !== 'clock' || typeof message.offsetMs !== 'number') return;
      this.region.clock.offsetMs = message.offsetMs;
      process.send?.({ type: 'clock-set', offsetMs: message.offsetMs });
    });
  }

  private end(why: string): void {
    this.stopping ??= this.stop(why).then(() => process.exit(0));
  }

  /** Requests in flight end first, then the relay and the consumers hand back what they hold, then connections close. */
  private async stop(why: string): Promise<void> {
    this.logger.info({ why }, 'stopping');
    setTimeout(() => process.exit(1), 2 * limits.stopGraceMs).unref();
    await within(limits.stopGraceMs, this.closeListeners());
    for (const part of [...this.region.running].reverse()) {
      await within(limits.stopGraceMs, Promise.resolve(part.stop())).catch((error: unknown) => this.logger.warn({ err: error, part: part.id }, 'a part did not stop in order'));
    }
    this.logger.info('stopped');
  }

  /** A connection that was kept alive for more requests is closed as soon as its answer is out: it would be waited for otherwise. */
  private async closeListeners(): Promise<void> {
    // What has connected by now but was not read yet would be reset, not answered.
    await new Promise((resolve) => setTimeout(resolve, READ_ON_MS));
    const sweep = setInterval(() => this.apps.forEach((app) => (app.getHttpServer() as Server).closeIdleConnections()), SWEEP_MS);
    try {
      await Promise.all(this.apps.map((app) => app.close()));
    } finally {
      clearInterval(sweep);
    }
  }

  /** Something of the start that needs the database, tried until it has worked. */
  private async untilDone(work: () => Promise<void>, failing: string): Promise<void> {
    while (this.stopping === undefined) {
      try {
        await work();
        return;
      } catch (error) {
        this.logger.warn({ err: error }, failing);
        await new Promise((resolve) => setTimeout(resolve, limits.heartbeatFreshMs));
      }
    }
  }
}

/** Waits at most `ms`: a stop does not hang on what does not end. */
function within(ms: number, work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
