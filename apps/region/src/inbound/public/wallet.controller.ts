import { Controller, Get, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FreshlyChecked } from '#features/consistency';
import { ReadWallet } from '#features/wallets';
import { tellRead } from '../http/headers.js';
import { Session, SessionGuard } from '../http/session.js';
import { Documented } from './answers.js';
import { walletAnswer } from './money-schemas.js';

@Controller('v1/wallet')
@UseGuards(SessionGuard)
export class WalletController {
  constructor(private readonly wallets: ReadWallet) {}

  @Get()
  @Documented({ status: 200, description: 'The wallet', schema: walletAnswer, session: true, account: true, problems: ['unavailable', 'overloaded'] })
  async read(@Session() { session }: FreshlyChecked, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const { view, read } = await this.wallets.read(session.account, session.home, request.consistency);
    tellRead(reply, session.home, read);
    return view;
  }
}
