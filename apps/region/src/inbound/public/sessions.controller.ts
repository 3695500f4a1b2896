import { Body, Controller, Delete, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FreshlyChecked } from '#features/consistency';
import { EndAllSessions, EndSession, type SignedOut } from '#features/sessions';
import { SignIn } from '#features/sign-in';
import { ConsistencyTokens } from '#kernel/ids';
import { normalizeIdentifier } from '#kernel/routing';
import { tellRead } from '../http/headers.js';
import { OwnRegion } from '../http/own-region.js';
import { Session, SessionGuard, bearer, consistencyOf } from '../http/session.js';
import { Documented } from './answers.js';
import { type SignInBody, sessionAnswer, signInAnswer, signInBody } from './schemas.js';

@Controller('v1/sessions')
export class SessionsController {
  constructor(
    private readonly signingIn: SignIn,
    private readonly ending: EndSession,
    private readonly endingAll: EndAllSessions,
    private readonly tokens: ConsistencyTokens,
    private readonly own: OwnRegion,
  ) {}

  @Post()
  @HttpCode(201)
  @Documented({
    status: 201, description: 'Signed in', schema: signInAnswer, account: true, write: true,
    problems: ['invalid-request', 'invalid-credentials', 'body-too-large', 'unsupported-media-type', 'too-many-attempts', 'home-unavailable', 'unavailable', 'overloaded'],
  })
  async signIn(@Body({ schema: signInBody }) body: SignInBody, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { identifier } = normalizeIdentifier(body.identifier);
    const consistency = consistencyOf(this.tokens, request);
    const { token, expiresAt, assurance, account, read } = await this.signingIn.signIn({ identifier, password: body.password, address: request.ip, token: consistency });
    tellRead(reply, account.home, read);
    this.tellConsistency(reply, request, account.id, {});
    return { token, origin: this.own.region, expiresAt, assurance, account };
  }

  @Get('current')
  @UseGuards(SessionGuard)
  @Documented({ status: 200, description: 'The session is good', schema: sessionAnswer, session: true, account: true, problems: ['unavailable', 'overloaded'] })
  check(@Session() { session }: FreshlyChecked, @Res() reply: FastifyReply): void {
    // The stored text is answered as it is: nothing is parsed or built on the hottest path.
    void reply.type('application/json; charset=utf-8').send(session.answer);
  }

  @Delete('current')
  @HttpCode(204)
  @Documented({ status: 204, description: 'Signed out', session: 'ending', account: true, write: true, problems: ['outcome-unknown', 'unavailable'] })
  async end(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    this.tellSignedOut(reply, request, await this.ending.end(bearer(request)));
  }

  @Delete()
  @HttpCode(204)
  @Documented({ status: 204, description: 'Signed out everywhere', session: 'ending', account: true, write: true, problems: ['outcome-unknown', 'unavailable'] })
  async endAll(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    this.tellSignedOut(reply, request, await this.endingAll.end(bearer(request)));
  }

  private tellSignedOut(reply: FastifyReply, request: FastifyRequest, { account, home, version }: SignedOut): void {
    if (home !== undefined) tellRead(reply, home, 'local');
    this.tellConsistency(reply, request, account, version === undefined ? {} : { signout: { [this.own.region]: version } });
  }

  private tellConsistency(reply: FastifyReply, request: FastifyRequest, account: string, versions: Record<string, Record<string, number>>): void {
    const token = this.tokens.merge(consistencyOf(this.tokens, request), { account, versions });
    void reply.header('homeward-consistency', this.tokens.encode(token));
  }
}
