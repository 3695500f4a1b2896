import { createHash } from 'node:crypto';
import { type Channel, SmtpChannel, WebhookChannel } from '#adapters/channels';
import { HashQueue } from '#adapters/hashing';
import { KafkaPort, OutboxRelay, PeerReader, StreamApplier } from '#adapters/kafka';
import { Peers } from '#adapters/peer-client';
import { Database, forgetOldAnswers, schemaVersion } from '#adapters/postgres';
import { RedisStore } from '#adapters/redis';
import { Replication } from '#adapters/replication';
import { AccountEffect, CreateAccount, CredentialReader, FindAccount, Register } from '#features/accounts';
import { Announce, AnnounceIncidents, AnnouncementRows } from '#features/announcements';
import { Attempts, SecondReadBudget } from '#features/attempts';
import { AuditLog, Auditor, OwnerAnswers, Repair } from '#features/audit';
import { Arrivals, FreshSession, OwnRows, ReadYourWrites } from '#features/consistency';
import { Degradation } from '#features/degradation';
import { Beat, Channels, ReplicatedBeats } from '#features/heartbeats';
import { Compensate, IncidentRows, ReadIncidents, Refusals, WatchPeers } from '#features/incidents';
import { Deliver, DeliveryQueue, ListNotifications, MarkRead } from '#features/notices';
import { ChangePassword, EpochEffect, SetPassword } from '#features/passwords';
import { OrderEffect, OrderState } from '#features/orders';
import { EditProfile, ProfileReader } from '#features/profiles';
import { ClaimRegion, Incarnations, KeptRows } from '#features/rebuild';
import { PeerEvents, StatePages } from '#features/resync';
import { Certificates, MacKeyFile } from '#features/rotation';
import { Routes } from '#features/routes';
import { ApplyPeerEnding, CheckSession, CreateSession, EndAllSessions, EndSession, KnownEndings, ReadSessionForPeer, SESSION_SCRIPTS, SessionFeeder, SessionJanitor, SessionPeersOverHttp, SessionStore, TokenReader } from '#features/sessions';
import { SignIn } from '#features/sign-in';
import { Aside, Metrics, Status } from '#features/status';
import { CancelTransfer, DecideTransfer, KeepRequest, OrderTransfer, ReadTransfers, tellOverdue } from '#features/transfers';
import { GrantVouchers, ReadVouchers, RedeemVoucher } from '#features/vouchers';
import { MakeDeposit, ReadWallet } from '#features/wallets';
import { SystemClock } from '#kernel/clock';
import { type RegionConfig, limits } from '#kernel/config';
import { ConsistencyTokens, MacKeyring, SessionIds } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';
import { type Heartbeat, PARTITIONS, STREAMS, encodeHeartbeat } from '#kernel/wire';
import { Every } from './every.js';

/** How often answers to idempotency keys that are past their day are forgotten. */
const FORGET_MS = 60_000;
/** How often the files of keys and certificates are looked at. */
const FILES_MS = 2_000;
/** How often what another process of the region has learnt of peers' incarnations is read. */
const INCARNATIONS_MS = 2_000;
/** How often peers are looked at for incidents, and incidents for announcements. */
const LOOK_MS = 500;
/** How often requests that wait past their time are looked for. */
const OVERDUE_MS = 5_000;

export type Region = ReturnType<typeof createRegion>;
type Foundation = ReturnType<typeof createFoundation>;
type Sessions = ReturnType<typeof createSessions>;
type Streams = ReturnType<typeof createStreams>;
type UseCases = ReturnType<typeof createUseCases>;
type Money = ReturnType<typeof createMoney>;

/** Builds everything that one region's process runs, by hand and in order of what needs what; starts nothing. */
export function createRegion(config: RegionConfig, logger: Logger) {
  const foundation = createFoundation(config, logger);
  const sessions = createSessions(foundation);
  const streams = createStreams(foundation, sessions);
  const useCases = createUseCases(foundation, sessions, streams);
  const money = createMoney(foundation, sessions, streams);
  const incidents = createIncidents(foundation, streams, money);
  const notices = createNotices(foundation, sessions, useCases);
  const audits = createAudits(foundation, streams);
  const rebuilding = createRebuilding(foundation, notices.noticeChannels);
  const { region, database, redis, hashing, peers } = foundation;
  const { kafka, relay, applier, readers, replication, beat, replicatedBeats } = streams;
  hearPeers(foundation, streams);
  return {
    ...foundation, ...sessions, ...streams, ...useCases, ...money, ...incidents, ...notices, ...audits, ...rebuilding,
    /** In order of starting; stopped in the opposite order, so that what hands back what it holds still has its database. */
    running: [
      database, redis, hashing, kafka, replication, sessions.feeder, new SessionJanitor(region, database, logger), applier, relay, ...readers.values(), replicatedBeats, beat, peers,
      new Every('look-at-peers', LOOK_MS, () => incidents.watchPeers.look(), logger), new Every('announce-incidents', LOOK_MS, () => incidents.announceIncidents.look(), logger),
      ...notices.deliveries,
      new Every('forget-answers', FORGET_MS, () => forgetOldAnswers(database), logger), audits.auditor,
      new Every('incarnations', INCARNATIONS_MS, () => streams.incarnations.load(), logger), new Every('key-files', FILES_MS, async () => lookAtFiles(foundation), logger),
      new Every('tell-overdue', OVERDUE_MS, () => tellOverdue(database, foundation.clock, foundation.money), logger),
    ],
  };
}

/** Clock, keys, and one adapter for each part and for the peers. */
function createFoundation(config: RegionConfig, logger: Logger) {
  const { region, regions } = config;
  const clock = new SystemClock(config.clockOffsetMs);
  const keyring = new MacKeyring(config.macKeys);
  const macKeyFile = new MacKeyFile(config.macKeysFile, keyring, logger, config.macKeys);
  const certificates = new Certificates(region, config.tls, logger);
  const peers = new Peers(config, certificates.current, clock, logger);
  certificates.onRenewed((tls) => peers.renew(tls));
  const database = new Database({ url: config.databaseUrl, region, disk: config.databaseDisk, incarnation: certificates.incarnation }, logger);
  return {
    config, logger, region, regions, clock, keyring, macKeyFile, certificates, peers, database,
    redis: new RedisStore({ url: config.redisUrl, scripts: SESSION_SCRIPTS }, logger),
    hashing: new HashQueue(logger),
    metrics: new Metrics(region),
    routes: new Routes(database, config.routeRegions, logger),
    /** What money goes by: every region of the table issues its share, a region added later none. */
    money: { region, regions, currency: config.currency, expiryMs: config.transferExpiryMs, issuers: config.routeRegions.length },
  };
}

function createSessions({ logger, region, regions, clock, keyring, database, redis, peers }: Foundation) {
  const life = limits.sessionLifeMs;
  const ids = new SessionIds(keyring, clock);
  const store = new SessionStore(redis, life);
  const known = new KnownEndings(database, regions);
  const arrivals = new Arrivals();
  database.listener.on('homeward_arrived', (payload) => arrivals.arrived(payload));
  const feeder = new SessionFeeder(database, store, known, clock, (heard) => database.listener.on('homeward_arrived', heard), logger);
  const sessionPeers = new SessionPeersOverHttp(peers);
  const tokenReader = new TokenReader(ids, regions);
  const checkSession = new CheckSession(region, life, clock, tokenReader, store, feeder, known, sessionPeers);
  const readYourWrites = new ReadYourWrites(region, peers, arrivals);
  return {
    feeder, readYourWrites,
    tokens: new ConsistencyTokens(keyring),
    createSession: new CreateSession(region, life, ids, store, known),
    endSession: new EndSession(region, life, tokenReader, clock, database, feeder, sessionPeers, logger),
    endAllSessions: new EndAllSessions(region, regions, life, tokenReader, clock, checkSession, known, database, feeder, sessionPeers, logger),
    freshSession: new FreshSession(regions, checkSession, database, readYourWrites),
    readSessionForPeer: new ReadSessionForPeer(region, store, feeder, known),
    applyPeerEnding: new ApplyPeerEnding(clock, store),
  };
}

/** The two ways in which rows and events cross: Kafka and database replication, each with the heartbeats that tell its age. */
function createStreams({ config, logger, region, clock, keyring, certificates, database, peers, routes, money }: Foundation, { feeder }: Sessions) {
  const peerNames = config.peers.map(({ name }) => name);
  const kafka = new KafkaPort({ region, brokers: config.kafkaBrokers, replication: config.kafkaReplication }, logger);
  const relay = new OutboxRelay({ region, peers: peerNames, databaseUrl: config.databaseUrl }, database, kafka, logger);
  const raised = (): void => feeder.wake();
  const ordered = (): void => Array.from({ length: PARTITIONS }).forEach((_, partition) => relay.wake('orders', partition));
  const orders = new OrderEffect(money, clock, (peer) => peers.find(peer)?.clockMap.skewMs() ?? 0, ordered);
  const applier = new StreamApplier({ region, peers: peerNames }, database, [new AccountEffect(), new EpochEffect(raised), orders], new PeerEvents(peers, database, orders, raised, logger), logger);
  const channels = new Channels(peers, (peer, stream) => applier.applied(peer)[stream]);
  const heardOverKafka = (_: string, heartbeat: Heartbeat): void => channels.hear('accounts', heartbeat);
  const heardOverDatabase = (heartbeat: Heartbeat): void => {
    channels.hear('database', heartbeat);
    applier.noticeHeads(heartbeat.region, heartbeat.heads);
  };
  const content = { heads: () => relay.heads(), routes: () => routes.summary, macKeys: () => keyring.keyIds, schema: schemaVersion, identity: () => database.identity };
  const readers = new Map(config.peers.map(({ name, brokers }) => [name, new PeerReader({ region, peer: name, brokers, tls: config.tls }, applier, heardOverKafka, logger)]));
  const replication = new Replication({
    region, incarnation: certificates.incarnation, peers: config.peers.map(({ name, database: conninfo }) => ({ name, conninfo })), tls: config.tls, database, ownDatabaseUrl: config.databaseUrl, clock, logger,
  });
  const incarnations = new Incarnations({ region, database, peers, replication, applier, readers, logger });
  peers.guardBy({ accepts: (peer, answer) => incarnations.accepts(peer, answer), superseded: (peer) => incarnations.superseded(peer.name) });
  return {
    kafka, relay, applier, channels, readers, replication, incarnations,
    beat: new Beat(region, clock, content, database, (heartbeat) => kafka.beat(encodeHeartbeat(heartbeat)), logger),
    replicatedBeats: new ReplicatedBeats(peerNames, database, heardOverDatabase, logger),
  };
}

function createUseCases(foundation: Foundation, sessions: Sessions, streams: Streams) {
  const { config, logger, region, regions, clock, database, redis, hashing, peers, metrics, routes } = foundation;
  const { feeder, readYourWrites, createSession } = sessions;
  const { relay, channels } = streams;
  const attempts = new Attempts(redis, clock, { perIdentifier: config.attemptsPerIdentifier, perAddress: config.attemptsPerAddress, secret: attemptsSecret(config) });
  const reader = new CredentialReader(database, regions);
  const own = { region, minPasswordLength: config.minPasswordLength };
  const createAccount = new CreateAccount(database, hashing, clock, own, (stream, partition) => relay.wake(stream, partition));
  const setPassword = new SetPassword(own, database, reader, hashing, (partition) => relay.wake('epochs', partition));
  const deliveryQueue = new DeliveryQueue(database);
  const profileReader = new ProfileReader(database, regions, readYourWrites);
  return {
    reader, createAccount, setPassword, profileReader, deliveryQueue,
    register: new Register(own, routes, createAccount, peers, database, logger),
    changePassword: new ChangePassword(own, setPassword, peers, database, attempts, () => feeder.applyNow(), logger),
    signIn: new SignIn({ own: region, reader, routes, hashing, peers, database, attempts, secondReads: new SecondReadBudget(clock), sessions: createSession, passwords: setPassword, channels, logger }),
    editProfile: new EditProfile(region, database, profileReader, readYourWrites, clock),
    degradation: new Degradation(region, peers, database),
    ownRows: new OwnRows(database, region),
    statePages: new StatePages(database, region),
    aside: new Aside(database),
    status: new Status({ ...foundation, ...streams, feeder, deliveryQueue, refusedPeers: () => metrics.peersRefused }),
  };
}

/** What the absence of peers cost, and what everybody is told of it. */
function createIncidents({ config, logger, region, clock, database, peers }: Foundation, { relay, applier, channels }: Streams, { grantVouchers }: Money) {
  const rows = new IncidentRows(region, database);
  const refusals = new Refusals();
  const watchPeers = new WatchPeers({ peers, relay, applier, channels, refusals, rows, clock, logger });
  const announcements = new AnnouncementRows(region, database);
  const automatic = { afterMs: config.announceAfterMs, publish: config.autoAnnounce };
  const readIncidents = new ReadIncidents(rows);
  return {
    refusals, watchPeers, readIncidents,
    compensate: new Compensate(readIncidents, rows, grantVouchers),
    announce: new Announce(announcements, rows, clock),
    announceIncidents: new AnnounceIncidents(automatic, announcements, rows, watchPeers, clock, logger),
  };
}

/** What each account is told, here and outside. */
function createNotices({ config, logger, region, regions, clock, database }: Foundation, { readYourWrites }: Sessions, { profileReader, deliveryQueue }: UseCases) {
  const own = { region, regions, currency: config.currency, attempts: config.deliveryAttempts };
  const channels: Channel[] = [];
  if (config.smtp !== undefined) channels.push(new SmtpChannel(config.smtp));
  if (config.webhook !== undefined) channels.push(new WebhookChannel(config.webhook));
  return {
    listNotifications: new ListNotifications(own, database, profileReader, readYourWrites),
    markRead: new MarkRead(own, database, clock),
    deliveries: channels.map((channel) => new Deliver(own, channel, database, deliveryQueue, profileReader, logger)),
    noticeChannels: channels.map(({ name }) => name),
  };
}

/** Wallets, transfers and vouchers: decided at home, ordered anywhere. */
function createMoney({ logger, region, clock, database, peers, routes, money }: Foundation, { readYourWrites }: Sessions, { relay, channels }: Streams) {
  const ordered = (partition: number): void => relay.wake('orders', partition);
  const findAccount = new FindAccount(region, database, routes, peers, logger);
  const decideTransfer = new DecideTransfer(money, database, clock, ordered);
  const keepRequest = new KeepRequest(money, database, ordered);
  const readTransfers = new ReadTransfers(money, database, clock, readYourWrites);
  const readVouchers = new ReadVouchers(money, database, readYourWrites);
  return {
    findAccount, decideTransfer, readTransfers, readVouchers,
    orderTransfer: new OrderTransfer(region, clock, findAccount, decideTransfer, keepRequest, readTransfers, peers),
    cancelTransfer: new CancelTransfer(region, decideTransfer, keepRequest, readTransfers, peers),
    readWallet: new ReadWallet(money, database, clock, peers, (peer) => channels.newest(peer, 'database')?.heartbeat.wallMs, (account, token) => readTransfers.pendingOut(account, token)),
    makeDeposit: new MakeDeposit(money, database, clock, findAccount, peers),
    redeemVoucher: new RedeemVoucher(region, database, clock, readVouchers, peers, ordered),
    grantVouchers: new GrantVouchers(money, database, clock, findAccount, ordered),
    orderState: new OrderState(database, region),
  };
}

/** What compares this region's copies with their owners, answers peers that compare theirs, and repairs. */
function createAudits({ config, logger, region, database, redis, peers, routes }: Foundation, { beat }: Streams) {
  const log = new AuditLog(database);
  const auditor = new Auditor({ region, database, peers, redis, log, everyMinutes: config.auditMinutes, logger });
  return {
    auditor,
    ownerAnswers: new OwnerAnswers(database, region, beat),
    repair: new Repair({ region, database, peers, log, auditor, homeOf: (identifier) => routes.route(identifier).home, logger }),
  };
}

/** How this region comes back after it has lost its own (docs/decisions/0018). */
function createRebuilding({ region, certificates, database, peers, money, logger }: Foundation, noticeChannels: readonly string[]) {
  const claimRegion = new ClaimRegion({ region, incarnation: certificates.incarnation, money, peers, database, noticeChannels, logger });
  database.onClaim((tx) => claimRegion.claim(tx));
  return { claimRegion, keptRows: new KeptRows(database, region) };
}

/** What a peer's answer to a heartbeat tells: its keys, its heads, what of ours it has applied, its routes. */
function hearPeers({ logger, keyring, peers, routes }: Foundation, { applier, relay, replication }: Streams): void {
  peers.onAnswer((peer, answer) => {
    replication.heard(peer.name);
    keyring.confirm(peers.all.map(({ lastAnswer }) => lastAnswer?.macKeys));
    applier.noticeHeads(peer.name, answer.heads);
    for (const stream of STREAMS) answer.applied[stream].forEach((number, partition) => relay.confirmed(peer.name, stream, partition, number));
    void routes.compare(peers, peer.name, answer.routes.digest).catch((error: unknown) => logger.warn({ err: error, peer: peer.name }, 'route tables could not be compared'));
  });
}

/** What was renewed on disk is taken without a restart. */
function lookAtFiles({ macKeyFile, certificates, peers, keyring }: Foundation): void {
  macKeyFile.look();
  keyring.confirm(peers.all.map(({ lastAnswer }) => lastAnswer?.macKeys));
  certificates.look(peers);
}

/** Keys of attempt counters are keyed hashes; every process of the region derives the same key. */
function attemptsSecret(config: RegionConfig): string {
  return createHash('sha256').update(`attempts:${config.macKeys[0]!.secret}`).digest('base64url');
}
