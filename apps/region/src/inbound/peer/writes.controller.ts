import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CreateAccount } from '#features/accounts';
import { SetPassword } from '#features/passwords';
import { ApplyPeerEnding, SessionFeeder } from '#features/sessions';
import { Metrics } from '#features/status';
import type { Deadline } from '#adapters/peer-client';
import { SystemClock } from '#kernel/clock';
import { normalizeIdentifier } from '#kernel/routing';
import { HomeUnavailableError, InvalidRequestError } from '#kernel/problems';
import { Routes } from '#features/routes';
import { OwnRegion } from '../http/own-region.js';
import { deadlineGate } from './deadline.js';
import { forwardedPasswordChange, forwardedRegistration, sessionEnd, sessionEndAll } from './schemas.js';

/** What a peer forwards to the home, under a deadline, and what it tells ahead of replication. */
@Controller('peer/v1')
export class PeerWritesController {
  constructor(
    private readonly creating: CreateAccount,
    private readonly setting: SetPassword,
    private readonly feeder: SessionFeeder,
    private readonly ending: ApplyPeerEnding,
    private readonly routes: Routes,
    private readonly clock: SystemClock,
    private readonly own: OwnRegion,
    private readonly metrics: Metrics,
  ) {}

  @Post('accounts')
  @HttpCode(200)
  async register(@Body({ schema: forwardedRegistration }) { deadline, ...registration }: z.infer<typeof forwardedRegistration>) {
    const mayStillHappen = this.gate(deadline);
    if (normalizeIdentifier(registration.identifier).identifier !== registration.identifier) throw new InvalidRequestError([{ path: 'identifier', message: 'is normalised in another way here' }]);
    const { slot, home } = this.routes.route(registration.identifier);
    if (home !== this.own.region || this.routes.disputed(slot)) throw new HomeUnavailableError(home);
    return this.creating.create(registration, mayStillHappen);
  }

  @Post('passwords')
  @HttpCode(200)
  async changePassword(@Body({ schema: forwardedPasswordChange }) { deadline, ...change }: z.infer<typeof forwardedPasswordChange>) {
    const changed = await this.setting.change(change, this.gate(deadline));
    await this.feeder.applyNow();
    return changed;
  }

  @Post('sessions/end')
  @HttpCode(204)
  async endSession(@Body({ schema: sessionEnd }) body: z.infer<typeof sessionEnd>): Promise<void> {
    await this.ending.end(body);
  }

  @Post('sessions/end-all')
  @HttpCode(204)
  async endAllSessions(@Body({ schema: sessionEndAll }) body: z.infer<typeof sessionEndAll>, @Req() request: FastifyRequest): Promise<void> {
    await this.ending.raise(request.peer!, body);
  }

  private gate(deadline: Deadline): () => boolean {
    return deadlineGate(this.clock, this.own.region, deadline, () => this.metrics.peerRefused('late'));
  }
}
