import { Controller, Get, Param, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { ReadIncidents } from '#features/incidents';
import { OpsGuard } from './ops-guard.js';

const page = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), after: z.uuid().optional() });
const incidentId = z.uuid();

/** The times that regions could not reach each other, and whom that touched. */
@Controller('ops/incidents')
@UseGuards(OpsGuard)
export class IncidentsController {
  constructor(private readonly incidents: ReadIncidents) {}

  @Get()
  list(@Query({ schema: page }) { limit, after }: z.infer<typeof page>) {
    return this.incidents.page(limit, after);
  }

  @Get(':id/accounts')
  accounts(@Param('id', { schema: incidentId }) id: string, @Query({ schema: page }) { limit, after }: z.infer<typeof page>) {
    return this.incidents.accounts(id, limit, after);
  }
}
