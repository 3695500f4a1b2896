import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { Announce } from '#features/announcements';
import { OpsGuard } from './ops-guard.js';

const text = z.strictObject({ title: z.string().trim().min(1).max(200), body: z.string().trim().min(1).max(4_000) });
const announcement = z.strictObject({
  texts: z.strictObject({ en: text.optional(), zh: text.optional() }).refine(({ en, zh }) => en !== undefined || zh !== undefined, 'must have a text in en or zh'),
  key: z.string().min(1).max(128).optional(),
});
const announcementId = z.uuid();
const page = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), after: z.uuid().optional() });

/** What operators tell everybody: published in any region, seen in all. */
@Controller('ops/announcements')
@UseGuards(OpsGuard)
export class OpsAnnouncementsController {
  constructor(private readonly announce: Announce) {}

  /** Drafts and what was withdrawn included. */
  @Get()
  list(@Query({ schema: page }) { limit, after }: z.infer<typeof page>) {
    return this.announce.page(limit, after);
  }

  @Post()
  @HttpCode(201)
  publishNew(@Body({ schema: announcement }) { texts, key }: z.infer<typeof announcement>) {
    return this.announce.publishNew(texts, key);
  }

  @Post(':id/publish')
  @HttpCode(200)
  publish(@Param('id', { schema: announcementId }) id: string) {
    return this.announce.publish(id);
  }

  @Delete(':id')
  @HttpCode(204)
  withdraw(@Param('id', { schema: announcementId }) id: string): Promise<void> {
    return this.announce.withdraw(id);
  }
}
