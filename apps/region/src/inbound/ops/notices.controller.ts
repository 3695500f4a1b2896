import { Controller, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { DeliveryQueue } from '#features/notices';
import { NotFoundError } from '#kernel/problems';
import { OpsGuard } from './ops-guard.js';

const DELIVERY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[a-z]+$/;
const page = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), after: z.string().regex(DELIVERY).optional() });
const notification = z.uuid();

/** Notifications that could not be delivered outside, kept until an operator begins anew. */
@Controller('ops/undelivered')
@UseGuards(OpsGuard)
export class NoticesController {
  constructor(private readonly queue: DeliveryQueue) {}

  @Get()
  list(@Query({ schema: page }) { limit, after }: z.infer<typeof page>) {
    return this.queue.dead(limit, after);
  }

  @Post(':id/retry')
  @HttpCode(200)
  async retry(@Param('id', { schema: notification }) id: string) {
    const channels = await this.queue.retry(id);
    if (channels.length === 0) throw new NotFoundError('Nothing of this notification was given up');
    return { notification: id, channels };
  }
}
