import { Body, Controller, HttpCode, Put, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ChangePassword } from '#features/passwords';
import type { FreshlyChecked } from '#features/consistency';
import { ConsistencyTokens } from '#kernel/ids';
import { idempotencyKey, tellRead } from '../http/headers.js';
import { OwnRegion } from '../http/own-region.js';
import { Session, SessionGuard } from '../http/session.js';
import { Documented } from './answers.js';
import { type PasswordBody, passwordBody } from './schemas.js';

@Controller('v1/password')
@UseGuards(SessionGuard)
export class PasswordController {
  constructor(
    private readonly changing: ChangePassword,
    private readonly tokens: ConsistencyTokens,
    private readonly own: OwnRegion,
  ) {}

  @Put()
  @HttpCode(204)
  @Documented({
    status: 204, description: 'Changed: the old password and all other sessions have ended', session: true, account: true, write: true, idempotent: true,
    problems: ['invalid-request', 'invalid-credentials', 'idempotency-key-reused', 'body-too-large', 'unsupported-media-type', 'weak-password', 'too-many-attempts', 'home-unavailable', 'outcome-unknown', 'unavailable', 'overloaded'],
  })
  async change(@Session() { session }: FreshlyChecked, @Body({ schema: passwordBody }) body: PasswordBody, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const asked = { account: session.account, ...body, session: { hash: session.hashB64, epoch: session.epoch }, key: idempotencyKey(request) };
    const changed = await this.changing.change(asked, { home: session.home, identifier: session.identifier, address: request.ip });
    tellRead(reply, session.home, session.home === this.own.region ? 'local' : 'second');
    const written = this.tokens.merge(request.consistency, { account: session.account, versions: { password: { [changed.home]: changed.version } } });
    void reply.header('homeward-consistency', this.tokens.encode(written));
  }
}
