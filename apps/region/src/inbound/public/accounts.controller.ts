import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Register } from '#features/accounts';
import { parsePatch } from '#features/profiles';
import { ConsistencyTokens } from '#kernel/ids';
import { normalizeIdentifier } from '#kernel/routing';
import { idempotencyKey, tellRead } from '../http/headers.js';
import { consistencyOf } from '../http/session.js';
import { Documented } from './answers.js';
import { type RegisterBody, accountAnswer, registerBody } from './schemas.js';

@Controller('v1/accounts')
export class AccountsController {
  constructor(
    private readonly registering: Register,
    private readonly tokens: ConsistencyTokens,
  ) {}

  @Post()
  @HttpCode(201)
  @Documented({
    status: 201, description: 'Registered', schema: accountAnswer, account: true, write: true, idempotent: true,
    problems: ['invalid-request', 'identifier-taken', 'idempotency-key-reused', 'body-too-large', 'unsupported-media-type', 'weak-password', 'home-unavailable', 'outcome-unknown', 'unavailable', 'overloaded'],
  })
  async register(@Body({ schema: registerBody }) body: RegisterBody, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { identifier } = normalizeIdentifier(body.identifier);
    const profile = body.profile === undefined ? undefined : parsePatch(body.profile, 'profile');
    const { account, read } = await this.registering.register({ identifier, password: body.password, profile, key: idempotencyKey(request) });
    const { id, home, createdAt } = account;
    tellRead(reply, home, read);
    const own = { account: id, versions: { account: { [home]: 1 }, password: { [home]: 1 }, ...(profile ? { profile: { [home]: 1 } } : {}) } };
    void reply.header('homeward-consistency', this.tokens.encode(this.tokens.merge(consistencyOf(this.tokens, request), own)));
    return { id, identifier: account.identifier, home, createdAt };
  }
}
