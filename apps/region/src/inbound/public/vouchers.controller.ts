import { Controller, Get, HttpCode, Param, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FreshlyChecked } from '#features/consistency';
import { ReadVouchers, RedeemVoucher } from '#features/vouchers';
import { ConsistencyTokens } from '#kernel/ids';
import { idempotencyKey, tellRead, tellWritten } from '../http/headers.js';
import { Session, SessionGuard } from '../http/session.js';
import { Documented } from './answers.js';
import { type PageQuery, objectId, pageOf, pageQuery, voucherAnswer } from './money-schemas.js';

@Controller('v1/vouchers')
@UseGuards(SessionGuard)
export class VouchersController {
  constructor(
    private readonly reading: ReadVouchers,
    private readonly redeeming: RedeemVoucher,
    private readonly tokens: ConsistencyTokens,
  ) {}

  @Get()
  @Documented({ status: 200, description: "The account's vouchers, newest first", schema: pageOf(voucherAnswer), session: true, account: true, problems: ['invalid-request', 'unavailable', 'overloaded'] })
  async list(@Session() { session }: FreshlyChecked, @Query({ schema: pageQuery }) { limit, after }: PageQuery, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { items, next, read } = await this.reading.list(session.account, limit, after, request.consistency);
    tellRead(reply, session.home, read);
    return { items, next };
  }

  /** A voucher is redeemed once, so the key says nothing that the voucher does not; a malformed one is refused all the same. */
  @Post(':id/redeem')
  @HttpCode(200)
  @Documented({
    status: 200, description: 'Credited to the wallet', queued: 'The home can not be asked now: it credits when it can', schema: voucherAnswer, session: true, account: true, write: true, idempotent: true,
    problems: ['invalid-request', 'not-found', 'home-unavailable', 'outcome-unknown', 'unavailable', 'overloaded'],
  })
  async redeem(@Session() { session }: FreshlyChecked, @Param('id', { schema: objectId }) id: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    idempotencyKey(request);
    const account = { id: session.account, identifier: session.identifier, home: session.home };
    const { status, view, versions, read } = await this.redeeming.redeem(account, id);
    tellWritten(this.tokens, request, reply, session.account)(versions);
    tellRead(reply, session.home, read);
    void reply.code(status);
    if (status === 202) void reply.header('location', '/v1/vouchers');
    return view;
  }
}
