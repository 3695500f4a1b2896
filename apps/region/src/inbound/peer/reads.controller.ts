import { Body, Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { OutboxRelay, StreamApplier } from '#adapters/kafka';
import { CredentialReader, answerSecondRead } from '#features/accounts';
import { OwnRows } from '#features/consistency';
import { Beat } from '#features/heartbeats';
import { Incarnations } from '#features/rebuild';
import { StatePages } from '#features/resync';
import { Routes } from '#features/routes';
import { ReadSessionForPeer } from '#features/sessions';
import { NotFoundError, UnavailableError } from '#kernel/problems';
import { OwnRegion } from '../http/own-region.js';
import { eventsFrom, noticesRow, profileRow, secondRead, sessionRead, signoutRow, stateAfter } from './schemas.js';

/** What a peer may read, answered from local data only, so that a second read can't bounce. */
@Controller('peer/v1')
export class PeerReadsController {
  constructor(
    private readonly beat: Beat,
    private readonly applier: StreamApplier,
    private readonly reader: CredentialReader,
    private readonly routes: Routes,
    private readonly sessions: ReadSessionForPeer,
    private readonly rows: OwnRows,
    private readonly relay: OutboxRelay,
    private readonly state: StatePages,
    private readonly incarnations: Incarnations,
    private readonly own: OwnRegion,
  ) {}

  @Get('heartbeat')
  heartbeat(@Req() request: FastifyRequest) {
    const heartbeat = this.beat.now();
    if (heartbeat === undefined) throw new UnavailableError('postgres');
    const known = this.incarnations.identityOf(request.peer!, request.peerIncarnation!);
    return { ...heartbeat, serving: this.beat.serving, applied: this.applier.applied(request.peer!), ...(known === undefined ? {} : { known }) };
  }

  @Post('route-table')
  @HttpCode(200)
  routeTable() {
    return this.routes.table;
  }

  @Post('credentials')
  @HttpCode(200)
  async credentials(@Body({ schema: secondRead }) { identifier }: z.infer<typeof secondRead>) {
    const answer = await answerSecondRead(this.reader, this.routes, this.own.region, identifier);
    if (answer === undefined) throw new NotFoundError('This region is not the home of that identifier');
    return answer;
  }

  @Post('sessions/read')
  @HttpCode(200)
  async session(@Body({ schema: sessionRead }) { hash }: z.infer<typeof sessionRead>) {
    const session = await this.sessions.read(hash);
    if (session === undefined) throw new NotFoundError();
    return session;
  }

  @Post('rows/profile')
  @HttpCode(200)
  profile(@Body({ schema: profileRow }) { account }: z.infer<typeof profileRow>) {
    return this.rows.profile(account);
  }

  @Post('rows/signout')
  @HttpCode(200)
  signout(@Body({ schema: signoutRow }) { account, session }: z.infer<typeof signoutRow>) {
    return this.rows.signout(account, session);
  }

  @Post('rows/notices')
  @HttpCode(200)
  notices(@Body({ schema: noticesRow }) { account }: z.infer<typeof noticesRow>) {
    return this.rows.notices(account);
  }

  @Post('events')
  @HttpCode(200)
  events(@Body({ schema: eventsFrom }) { stream, partition, fromNumber, limit }: z.infer<typeof eventsFrom>) {
    return this.relay.pages.page(stream, partition, fromNumber, limit);
  }

  @Post('state/accounts')
  @HttpCode(200)
  accounts(@Body({ schema: stateAfter }) { after }: z.infer<typeof stateAfter>) {
    return this.state.accounts(after);
  }

  @Post('state/epochs')
  @HttpCode(200)
  epochs(@Body({ schema: stateAfter }) { after }: z.infer<typeof stateAfter>) {
    return this.state.epochs(after);
  }
}
