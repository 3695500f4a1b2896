import { Body, Controller, Get, HttpCode, Param, Post, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Replication } from '#adapters/replication';
import { Auditor, Repair } from '#features/audit';
import { NotFoundError } from '#kernel/problems';
import { OpsGuard } from './ops-guard.js';

const auditId = z.uuid();
const repairBody = z.strictObject({ audit: z.uuid(), apply: z.boolean().default(false) });
const copyBody = z.strictObject({ peer: z.string().min(1).max(16) });

/** Comparing this region's copies with their owners, and what an operator may do about what was found. */
@Controller('ops')
@UseGuards(OpsGuard)
export class AuditsController {
  constructor(
    private readonly auditor: Auditor,
    private readonly repairing: Repair,
    private readonly replication: Replication,
  ) {}

  /** 202 where an audit was begun, 200 where one runs already. */
  @Post('audits')
  async ask(@Res({ passthrough: true }) reply: FastifyReply) {
    const { id, begun } = await this.auditor.ask('operator');
    void reply.code(begun ? 202 : 200).header('location', `/ops/audits/${id}`);
    return { id };
  }

  @Get('audits/:id')
  async audit(@Param('id', { schema: auditId }) id: string) {
    const audit = await this.auditor.view(id);
    if (audit === undefined) throw new NotFoundError();
    return audit;
  }

  @Post('repairs')
  @HttpCode(200)
  async repair(@Body({ schema: repairBody }) { audit, apply }: z.infer<typeof repairBody>) {
    const answer = await this.repairing.repair(audit, apply);
    if (answer === undefined) throw new NotFoundError('There is no such audit');
    return answer;
  }

  /** Copies all of a peer's published rows anew, through staging: after a difference too large to repair, or a peer whose server was replaced. */
  @Post('copies')
  @HttpCode(202)
  async copy(@Body({ schema: copyBody }) { peer }: z.infer<typeof copyBody>) {
    if (!(await this.replication.askForCopy(peer))) throw new NotFoundError('There is no such peer, or its first copy is not made yet');
    return { peer };
  }
}
