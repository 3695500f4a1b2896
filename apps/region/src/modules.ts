import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { KafkaPort, OutboxRelay, StreamApplier } from '#adapters/kafka';
import { Peers } from '#adapters/peer-client';
import { Database } from '#adapters/postgres';
import { RedisStore } from '#adapters/redis';
import { Replication } from '#adapters/replication';
import { CreateAccount, CredentialReader, FindAccount, Register } from '#features/accounts';
import { Announce } from '#features/announcements';
import { Auditor, OwnerAnswers, Repair } from '#features/audit';
import { FreshSession, OwnRows } from '#features/consistency';
import { Degradation } from '#features/degradation';
import { Beat } from '#features/heartbeats';
import { Compensate, ReadIncidents } from '#features/incidents';
import { DeliveryQueue, ListNotifications, MarkRead } from '#features/notices';
import { ChangePassword, SetPassword } from '#features/passwords';
import { OrderState } from '#features/orders';
import { EditProfile, ProfileReader } from '#features/profiles';
import { ClaimRegion, Incarnations, KeptRows } from '#features/rebuild';
import { StatePages } from '#features/resync';
import { Routes } from '#features/routes';
import { ApplyPeerEnding, EndAllSessions, EndSession, ReadSessionForPeer, SessionFeeder } from '#features/sessions';
import { SignIn } from '#features/sign-in';
import { Aside, Metrics, Status } from '#features/status';
import { CancelTransfer, DecideTransfer, OrderTransfer, ReadTransfers } from '#features/transfers';
import { ReadVouchers, RedeemVoucher } from '#features/vouchers';
import { MakeDeposit, ReadWallet } from '#features/wallets';
import { SystemClock } from '#kernel/clock';
import { ConsistencyTokens } from '#kernel/ids';
import { OwnRegion } from './inbound/http/own-region.js';
import { OpsAnnouncementsController } from './inbound/ops/announcements.controller.js';
import { CompensationsController } from './inbound/ops/compensations.controller.js';
import { AuditsController } from './inbound/ops/audits.controller.js';
import { DepositsController } from './inbound/ops/deposits.controller.js';
import { HealthController } from './inbound/ops/health.controller.js';
import { IncidentsController } from './inbound/ops/incidents.controller.js';
import { NoticesController } from './inbound/ops/notices.controller.js';
import { MetricsController, OpsController } from './inbound/ops/ops.controller.js';
import { OpsToken } from './inbound/ops/ops-guard.js';
import { PeerAuditController } from './inbound/peer/audit.controller.js';
import { PeerMoneyController } from './inbound/peer/money.controller.js';
import { PeerReadsController } from './inbound/peer/reads.controller.js';
import { PeerRebuildController } from './inbound/peer/rebuild.controller.js';
import { PeerWritesController } from './inbound/peer/writes.controller.js';
import { AccountsController } from './inbound/public/accounts.controller.js';
import { AnnouncementsController } from './inbound/public/announcements.controller.js';
import { DegradationController } from './inbound/public/degradation.controller.js';
import { NotificationsController } from './inbound/public/notifications.controller.js';
import { PasswordController } from './inbound/public/password.controller.js';
import { ProfileController } from './inbound/public/profile.controller.js';
import { RouteController } from './inbound/public/route.controller.js';
import { SessionsController } from './inbound/public/sessions.controller.js';
import { TransfersController } from './inbound/public/transfers.controller.js';
import { VouchersController } from './inbound/public/vouchers.controller.js';
import { WalletController } from './inbound/public/wallet.controller.js';
import type { Region } from './region.js';

@Module({})
class PublicModule {}
@Module({})
class OpsModule {}
@Module({})
class PeerModule {}

/** What was built by hand, given to Nest by class: the three listeners share the instances. */
function provide(...instances: [Type, object][]): { provide: Type; useValue: object }[] {
  return instances.map(([type, value]) => ({ provide: type, useValue: value }));
}

export function publicModule(services: Region): DynamicModule {
  const own: [Type, object] = [OwnRegion, new OwnRegion(services.region)];
  return {
    module: PublicModule,
    controllers: [
      AccountsController, SessionsController, ProfileController, PasswordController, RouteController, DegradationController, WalletController, TransfersController, VouchersController,
      NotificationsController, AnnouncementsController,
    ],
    providers: provide(
      own, [Register, services.register], [SignIn, services.signIn], [FreshSession, services.freshSession], [EndSession, services.endSession],
      [EndAllSessions, services.endAllSessions], [ChangePassword, services.changePassword], [ProfileReader, services.profileReader],
      [EditProfile, services.editProfile], [Routes, services.routes], [Degradation, services.degradation], [ConsistencyTokens, services.tokens],
      [ReadWallet, services.readWallet], [OrderTransfer, services.orderTransfer], [CancelTransfer, services.cancelTransfer], [ReadTransfers, services.readTransfers],
      [ReadVouchers, services.readVouchers], [RedeemVoucher, services.redeemVoucher],
      [ListNotifications, services.listNotifications], [MarkRead, services.markRead], [Announce, services.announce],
    ),
  };
}

export function opsModule(services: Region): DynamicModule {
  return {
    module: OpsModule,
    imports: [TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController, OpsController, MetricsController, DepositsController, AuditsController, OpsAnnouncementsController, IncidentsController, CompensationsController, NoticesController],
    providers: provide(
      [Database, services.database], [RedisStore, services.redis], [KafkaPort, services.kafka], [Peers, services.peers], [Status, services.status],
      [Aside, services.aside], [StreamApplier, services.applier], [Metrics, services.metrics], [OpsToken, new OpsToken(services.config.opsToken)],
      [MakeDeposit, services.makeDeposit], [Announce, services.announce], [ReadIncidents, services.readIncidents], [Compensate, services.compensate], [DeliveryQueue, services.deliveryQueue],
      [Auditor, services.auditor], [Repair, services.repair], [Replication, services.replication],
    ),
  };
}

export function peerModule(services: Region): DynamicModule {
  return {
    module: PeerModule,
    controllers: [PeerReadsController, PeerWritesController, PeerMoneyController, PeerAuditController, PeerRebuildController],
    providers: provide(
      [OwnRegion, new OwnRegion(services.region)], [Beat, services.beat], [StreamApplier, services.applier], [CredentialReader, services.reader], [Routes, services.routes],
      [ReadSessionForPeer, services.readSessionForPeer], [OwnRows, services.ownRows], [OutboxRelay, services.relay], [StatePages, services.statePages],
      [CreateAccount, services.createAccount], [SetPassword, services.setPassword], [SessionFeeder, services.feeder], [ApplyPeerEnding, services.applyPeerEnding],
      [OwnerAnswers, services.ownerAnswers], [ClaimRegion, services.claimRegion], [Incarnations, services.incarnations], [KeptRows, services.keptRows], [Database, services.database], [Replication, services.replication],
      [SystemClock, services.clock], [Metrics, services.metrics], [FindAccount, services.findAccount], [DecideTransfer, services.decideTransfer], [ReadTransfers, services.readTransfers],
      [MakeDeposit, services.makeDeposit], [ReadWallet, services.readWallet], [ReadVouchers, services.readVouchers], [RedeemVoucher, services.redeemVoucher], [OrderState, services.orderState],
    ),
  };
}
