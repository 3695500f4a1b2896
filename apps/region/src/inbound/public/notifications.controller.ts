import { Controller, Get, HttpCode, Param, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FreshlyChecked } from '#features/consistency';
import { ListNotifications, MarkRead } from '#features/notices';
import { ConsistencyTokens } from '#kernel/ids';
import { tellRead, tellWritten } from '../http/headers.js';
import { OwnRegion } from '../http/own-region.js';
import { Session, SessionGuard } from '../http/session.js';
import { Documented } from './answers.js';
import { type PageQuery, objectId, pageQuery } from './money-schemas.js';
import { markedAnswer, notificationsAnswer } from './notice-schemas.js';

@Controller('v1/notifications')
@UseGuards(SessionGuard)
export class NotificationsController {
  constructor(
    private readonly listing: ListNotifications,
    private readonly marking: MarkRead,
    private readonly tokens: ConsistencyTokens,
    private readonly own: OwnRegion,
  ) {}

  @Get()
  @Documented({ status: 200, description: 'What happened to this account, newest first', schema: notificationsAnswer, session: true, account: true, problems: ['invalid-request', 'unavailable', 'overloaded'] })
  async list(
    @Session() { session }: FreshlyChecked, @Query({ schema: pageQuery }) { limit, after }: PageQuery,
    @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { items, next, read } = await this.listing.page(session.account, limit, after, request.consistency);
    tellRead(reply, session.home, read);
    return { items, next };
  }

  @Post(':id/read')
  @HttpCode(200)
  @Documented({ status: 200, description: 'Marked as read, here at once and in the other regions a little later', schema: markedAnswer, session: true, account: true, write: true, problems: ['invalid-request', 'not-found', 'outcome-unknown', 'unavailable', 'overloaded'] })
  async read(@Session() { session }: FreshlyChecked, @Param('id', { schema: objectId }) id: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { version, ...marked } = await this.marking.mark(session.account, id);
    tellRead(reply, session.home, 'local');
    tellWritten(this.tokens, request, reply, session.account)({ notices: { [this.own.region]: version } });
    return marked;
  }
}
