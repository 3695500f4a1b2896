import { Controller, Get, HttpCode, Param, Post, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { StreamApplier } from '#adapters/kafka';
import { Aside, Metrics, Status } from '#features/status';
import { NotFoundError } from '#kernel/problems';
import { OpsGuard } from './ops-guard.js';

const pageQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), after: z.uuid().optional() });
const letterId = z.uuid();

@Controller('ops')
@UseGuards(OpsGuard)
export class OpsController {
  constructor(
    private readonly statusPage: Status,
    private readonly aside: Aside,
    private readonly applier: StreamApplier,
  ) {}

  @Get('status')
  status() {
    return this.statusPage.read();
  }

  @Get('dead-letters')
  deadLetters(@Query({ schema: pageQuery }) { limit, after }: z.infer<typeof pageQuery>) {
    return this.aside.deadLetters(limit, after);
  }

  @Get('conflicts')
  conflicts(@Query({ schema: pageQuery }) { limit, after }: z.infer<typeof pageQuery>) {
    return this.aside.conflicts(limit, after);
  }

  @Post('dead-letters/:id/replay')
  @HttpCode(200)
  async replay(@Param('id', { schema: letterId }) id: string) {
    const outcome = await this.applier.letters.replay(id);
    if (outcome.outcome === 'not-found') throw new NotFoundError();
    return outcome;
  }
}

/** The numbers, for Prometheus; without a token, as the contract says. */
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly statusPage: Status,
  ) {}

  @Get()
  async text(@Res() reply: FastifyReply): Promise<void> {
    void reply.type(this.metrics.contentType).send(await this.metrics.text(this.statusPage));
  }
}
