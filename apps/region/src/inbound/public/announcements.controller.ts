import { Controller, Get } from '@nestjs/common';
import { Announce } from '#features/announcements';
import { Documented } from './answers.js';
import { announcementsAnswer } from './notice-schemas.js';

@Controller('v1/announcements')
export class AnnouncementsController {
  constructor(private readonly announce: Announce) {}

  /** Without a token: whoever can't sign in needs it most. */
  @Get()
  @Documented({ status: 200, description: 'What operators tell everybody now', schema: announcementsAnswer, problems: ['unavailable'] })
  async list() {
    return { items: await this.announce.published(), next: null };
  }
}
