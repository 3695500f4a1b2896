import { Body, Controller, Get, Patch, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FreshlyChecked } from '#features/consistency';
import { EditProfile, ProfileReader, parsePatch, profilePatchSchema } from '#features/profiles';
import { ConsistencyTokens } from '#kernel/ids';
import { ifMatch, tellRead } from '../http/headers.js';
import { OwnRegion } from '../http/own-region.js';
import { Session, SessionGuard } from '../http/session.js';
import { Documented, published } from './answers.js';
import { profileAnswer } from './schemas.js';

@Controller('v1/profile')
@UseGuards(SessionGuard)
export class ProfileController {
  constructor(
    private readonly reader: ProfileReader,
    private readonly editing: EditProfile,
    private readonly tokens: ConsistencyTokens,
    private readonly own: OwnRegion,
  ) {}

  @Get()
  @Documented({ status: 200, description: 'The profile', schema: profileAnswer, session: true, account: true, etag: true, problems: ['unavailable', 'overloaded'] })
  async read(@Session() { session }: FreshlyChecked, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { view, etag, read } = await this.reader.read(session.account, request.consistency);
    tellRead(reply, session.home, read);
    void reply.header('etag', etag);
    return view;
  }

  @Patch()
  @ApiConsumes('application/merge-patch+json', 'application/json')
  @ApiBody({ schema: published(profilePatchSchema) })
  @ApiHeader({ name: 'If-Match', required: false })
  @Documented({
    status: 200, description: 'The profile after the edit', schema: profileAnswer, session: true, account: true, write: true, etag: true,
    problems: ['invalid-request', 'precondition-failed', 'body-too-large', 'unsupported-media-type', 'outcome-unknown', 'unavailable', 'overloaded'],
  })
  async edit(@Session() { session }: FreshlyChecked, @Body() body: unknown, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const account = { id: session.account, identifier: session.identifier };
    const { view, etag, version, read } = await this.editing.edit(account, parsePatch(body), ifMatch(request), request.consistency);
    tellRead(reply, session.home, read);
    const written = this.tokens.merge(request.consistency, { account: session.account, versions: { profile: { [this.own.region]: version } } });
    void reply.header('etag', etag).header('homeward-consistency', this.tokens.encode(written));
    return view;
  }
}
