import { Controller, Get, Query } from '@nestjs/common';
import { Announce } from '#features/announcements';
import { Documented } from './answers.js';
import { type PageQuery, pageQuery } from './money-schemas.js';
import { announcementsAnswer } from './notice-schemas.js';

@Controller('v1/announcements')
export class AnnouncementsController {
  constructor(private readonly announce: Announce) {}

  /** Without a token: whoever can't sign in needs it most. */
  @Get()
  @Documented({ status: 200, description: 'What operators tell everybody now, newest first', schema: announcementsAnswer, problems: ['invalid-request', 'unavailable'] })
  list(@Query({ schema: pageQuery }) { limit, after }: PageQuery) {
    return this.announce.published(limit, after);
  }
}
