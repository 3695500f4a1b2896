import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FreshlyChecked } from '#features/consistency';
import { CancelTransfer, OrderTransfer, ReadTransfers } from '#features/transfers';
import { ConsistencyTokens } from '#kernel/ids';
import { IdempotencyKeyRequiredError } from '#kernel/problems';
import { idempotencyKey, tellRead, tellWritten } from '../http/headers.js';
import { Session, SessionGuard } from '../http/session.js';
import { Documented } from './answers.js';
import { type PageQuery, type TransferBody, objectId, pageOf, pageQuery, transferAnswer, transferBody } from './money-schemas.js';

@Controller('v1/transfers')
@UseGuards(SessionGuard)
export class TransfersController {
  constructor(
    private readonly ordering: OrderTransfer,
    private readonly cancelling: CancelTransfer,
    private readonly reading: ReadTransfers,
    private readonly tokens: ConsistencyTokens,
  ) {}

  @Post()
  @HttpCode(201)
  @Documented({
    status: 201, description: 'Settled', queued: 'The home can not be asked now: it decides when it can', schema: transferAnswer, session: true, account: true, write: true, idempotent: 'required',
    problems: ['invalid-request', 'idempotency-key-required', 'payee-unknown', 'idempotency-key-reused', 'body-too-large', 'unsupported-media-type', 'insufficient-funds', 'home-unavailable', 'outcome-unknown', 'unavailable', 'overloaded'],
  })
  async order(@Session() { session }: FreshlyChecked, @Body({ schema: transferBody }) body: TransferBody, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const key = idempotencyKey(request);
    if (key === undefined) throw new IdempotencyKeyRequiredError();
    const payer = { id: session.account, identifier: session.identifier, home: session.home, session: session.hashB64, epoch: session.epoch };
    const told = tellWritten(this.tokens, request, reply, session.account);
    const { status, view, versions, read } = await this.ordering.order(payer, { ...body, key }, told);
    told(versions);
    tellRead(reply, session.home, read);
    void reply.code(status);
    if (status === 202) void reply.header('location', `/v1/transfers/${view.id}`);
    return view;
  }

  @Get()
  @Documented({ status: 200, description: "The account's transfers, newest first", schema: pageOf(transferAnswer), session: true, account: true, problems: ['invalid-request', 'unavailable', 'overloaded'] })
  async list(@Session() { session }: FreshlyChecked, @Query({ schema: pageQuery }) { limit, after }: PageQuery, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { items, next, read } = await this.reading.list(session.account, limit, after, request.consistency);
    tellRead(reply, session.home, read);
    return { items, next };
  }

  @Get(':id')
  @Documented({ status: 200, description: 'The transfer', schema: transferAnswer, session: true, account: true, problems: ['invalid-request', 'not-found', 'unavailable', 'overloaded'] })
  async one(@Session() { session }: FreshlyChecked, @Param('id', { schema: objectId }) id: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { view, read } = await this.reading.one(session.account, id, request.consistency);
    tellRead(reply, session.home, read);
    return view;
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Documented({
    status: 200, description: 'Cancelled', queued: 'The home can not be asked now: it decides when it can', schema: transferAnswer, session: true, account: true, write: true,
    problems: ['invalid-request', 'not-found', 'transfer-final', 'home-unavailable', 'outcome-unknown', 'unavailable', 'overloaded'],
  })
  async cancel(@Session() { session }: FreshlyChecked, @Param('id', { schema: objectId }) id: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { status, view, versions, read } = await this.cancelling.cancel({ id: session.account, home: session.home }, id);
    tellWritten(this.tokens, request, reply, session.account)(versions);
    tellRead(reply, session.home, read);
    void reply.code(status);
    if (status === 202) void reply.header('location', `/v1/transfers/${view.id}`);
    return view;
  }
}
