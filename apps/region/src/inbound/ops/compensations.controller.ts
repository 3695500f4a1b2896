import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { Compensate } from '#features/incidents';
import { depositBody, transferBody } from '../public/money-schemas.js';
import { OpsGuard } from './ops-guard.js';

/** As many as fit into a body. */
const MOST_ACCOUNTS = 1_000;
const compensation = z.strictObject({
  incident: z.uuid().optional(),
  accounts: z.array(depositBody.shape.account).min(1).max(MOST_ACCOUNTS).optional(),
  amount: depositBody.shape.amount,
  memo: transferBody.shape.memo,
  key: depositBody.shape.key,
}).refine(({ incident, accounts }) => (incident === undefined) !== (accounts === undefined), 'must have either incident or accounts');

/** Vouchers for those whom a fault cost something. */
@Controller('ops/compensations')
@UseGuards(OpsGuard)
export class CompensationsController {
  constructor(private readonly compensating: Compensate) {}

  /** Once per account and key, decided at each account's home: asked again, in any region, it grants what is missing. */
  @Post()
  @HttpCode(200)
  compensate(@Body({ schema: compensation }) body: z.infer<typeof compensation>) {
    return this.compensating.compensate(body);
  }
}
