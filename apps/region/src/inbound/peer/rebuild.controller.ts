import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Database } from '#adapters/postgres';
import { Replication } from '#adapters/replication';
import { ClaimRegion, Incarnations, KeptRows } from '#features/rebuild';
import { PeerRefusedError, UnavailableError } from '#kernel/problems';

const rowsOf = z.strictObject({ table: z.string().max(63), after: z.array(z.string().max(200)).min(1).max(8).nullable() });

/** What a peer asks that has a new database: whether it is known, and, as its next incarnation, what is kept of it here. */
@Controller('peer/v1/rebuild')
export class PeerRebuildController {
  constructor(
    private readonly claim: ClaimRegion,
    private readonly incarnations: Incarnations,
    private readonly kept: KeptRows,
    private readonly database: Database,
    private readonly replication: Replication,
  ) {}

  @Post('known')
  @HttpCode(200)
  known(@Req() { peer, peerIncarnation }: FastifyRequest) {
    if (this.claim.isNew) return { isNew: true };
    this.mustKnow();
    return { isNew: false, identity: this.incarnations.identityOf(peer!, peerIncarnation!), incarnation: this.incarnations.of(peer!) };
  }

  @Post('adopt')
  @HttpCode(200)
  async adopt(@Req() request: FastifyRequest) {
    if (this.claim.isNew) return { isNew: true };
    this.mustKnow();
    await this.incarnations.adopt(request.peer!, request.peerIncarnation!);
    await this.mustBeStill(request);
    return { isNew: false };
  }

  @Post('rows')
  @HttpCode(200)
  async rows(@Body({ schema: rowsOf }) { table, after }: z.infer<typeof rowsOf>, @Req() request: FastifyRequest) {
    this.mustKnow();
    if (this.incarnations.of(request.peer!) !== request.peerIncarnation) throw new PeerRefusedError('this incarnation was not adopted here');
    await this.mustBeStill(request);
    return this.kept.page(request.peer!, table, after);
  }

  /** @throws UnavailableError until this region knows what it knows */
  private mustKnow(): void {
    if (!this.database.ready || !this.incarnations.loaded) throw new UnavailableError('postgres');
  }

  /** @throws UnavailableError while rows of the incarnation before may still come */
  private async mustBeStill({ peer, peerIncarnation }: FastifyRequest): Promise<void> {
    if (!(await this.replication.readsOnly(peer!, peerIncarnation!))) throw new UnavailableError('postgres');
  }
}
