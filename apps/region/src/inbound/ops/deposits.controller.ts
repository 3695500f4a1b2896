import { Body, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { MakeDeposit } from '#features/wallets';
import { type DepositBody, depositBody } from '../public/money-schemas.js';
import { OpsGuard } from './ops-guard.js';

@Controller('ops/deposits')
@UseGuards(OpsGuard)
export class DepositsController {
  constructor(private readonly depositing: MakeDeposit) {}

  /** Credits a wallet at its home, once per account and key; the account is named by its id or its identifier. */
  @Post()
  @HttpCode(200)
  deposit(@Body({ schema: depositBody }) body: DepositBody) {
    return this.depositing.deposit(body);
  }
}
