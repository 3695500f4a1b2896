import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { FindAccount } from '#features/accounts';
import { OrderState } from '#features/orders';
import { Metrics } from '#features/status';
import { DecideTransfer, ReadTransfers } from '#features/transfers';
import { ReadVouchers, RedeemVoucher } from '#features/vouchers';
import { MakeDeposit, ReadWallet } from '#features/wallets';
import { SystemClock } from '#kernel/clock';
import { PeerRefusedError } from '#kernel/problems';
import { OwnRegion } from '../http/own-region.js';
import { deadlineGate } from './deadline.js';
import { accountQuestion, accountRow, forwardedCancel, forwardedDeposit, forwardedRedeem, forwardedTransfer, ordersAfter, transferRows } from './money-schemas.js';

/** What a peer asks about money: decisions of this home under a deadline, and this region's own rows. */
@Controller('peer/v1')
export class PeerMoneyController {
  constructor(
    private readonly accounts: FindAccount,
    private readonly deciding: DecideTransfer,
    private readonly transfers: ReadTransfers,
    private readonly depositing: MakeDeposit,
    private readonly wallets: ReadWallet,
    private readonly vouchers: ReadVouchers,
    private readonly redeeming: RedeemVoucher,
    private readonly state: OrderState,
    private readonly clock: SystemClock,
    private readonly own: OwnRegion,
    private readonly metrics: Metrics,
  ) {}

  @Post('transfers')
  @HttpCode(200)
  order(@Body({ schema: forwardedTransfer }) { order, deadline }: z.infer<typeof forwardedTransfer>, @Req() request: FastifyRequest) {
    // A region forwards what it took itself, and vouches for no other's sessions.
    if (order.acceptedBy !== request.peer) throw new PeerRefusedError(`${request.peer} forwards an order that ${order.acceptedBy} took`);
    return this.deciding.order(order, this.gate(deadline));
  }

  @Post('transfers/cancel')
  @HttpCode(200)
  cancel(@Body({ schema: forwardedCancel }) { order, deadline }: z.infer<typeof forwardedCancel>) {
    return this.deciding.cancel(order, this.gate(deadline));
  }

  @Post('deposits')
  @HttpCode(200)
  deposit(@Body({ schema: forwardedDeposit }) { deadline, ...deposit }: z.infer<typeof forwardedDeposit>) {
    return this.depositing.depositHere(deposit, this.gate(deadline));
  }

  @Post('vouchers/redeem')
  @HttpCode(200)
  redeem(@Body({ schema: forwardedRedeem }) { account, voucher, deadline }: z.infer<typeof forwardedRedeem>) {
    return this.redeeming.redeemHere(account, voucher, this.gate(deadline));
  }

  @Post('accounts/find')
  @HttpCode(200)
  async find(@Body({ schema: accountQuestion }) question: z.infer<typeof accountQuestion>) {
    const account = await this.accounts.here(question);
    return account === undefined ? {} : { account };
  }

  @Post('wallet')
  @HttpCode(200)
  wallet(@Body({ schema: accountRow }) { account }: z.infer<typeof accountRow>) {
    return this.wallets.state(account);
  }

  @Post('rows/transfers')
  @HttpCode(200)
  transferRows(@Body({ schema: transferRows }) question: z.infer<typeof transferRows>) {
    return this.transfers.ownRows(question);
  }

  @Post('rows/vouchers')
  @HttpCode(200)
  voucherRows(@Body({ schema: accountRow }) { account }: z.infer<typeof accountRow>) {
    return this.vouchers.ownRows(account);
  }

  @Post('rows/redeems')
  @HttpCode(200)
  redeemRows(@Body({ schema: accountRow }) { account }: z.infer<typeof accountRow>) {
    return this.vouchers.ownRequests(account);
  }

  @Post('state/orders')
  @HttpCode(200)
  orders(@Body({ schema: ordersAfter }) { after }: z.infer<typeof ordersAfter>, @Req() request: FastifyRequest) {
    return this.state.page(request.peer!, after);
  }

  private gate(deadline: { boot: string; monoMs: number }): () => boolean {
    return deadlineGate(this.clock, this.own.region, deadline, () => this.metrics.peerRefused('late'));
  }
}
