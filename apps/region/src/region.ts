import { createHash } from 'node:crypto';
import { HashQueue } from '#adapters/hashing';
import { KafkaPort, OutboxRelay, PeerReader, StreamApplier } from '#adapters/kafka';
import { Peers } from '#adapters/peer-client';
import { Database, forgetOldAnswers } from '#adapters/postgres';
import { RedisStore } from '#adapters/redis';
import { Replication } from '#adapters/replication';
import { AccountEffect, CreateAccount, CredentialReader, Register } from '#features/accounts';
import { Attempts, SecondReadBudget } from '#features/attempts';
import { Arrivals, FreshSession, OwnRows, ReadYourWrites } from '#features/consistency';
import { Degradation } from '#features/degradation';
import { Beat, Channels, ReplicatedBeats } from '#features/heartbeats';
import { ChangePassword, EpochEffect, SetPassword } from '#features/passwords';
import { EditProfile, ProfileReader } from '#features/profiles';
import { PeerEvents, StatePages } from '#features/resync';
import { Routes } from '#features/routes';
import { ApplyPeerEnding, CheckSession, CreateSession, EndAllSessions, EndSession, KnownEndings, ReadSessionForPeer, SESSION_SCRIPTS, SessionFeeder, SessionJanitor, SessionPeersOverHttp, SessionStore, TokenReader } from '#features/sessions';
import { SignIn } from '#features/sign-in';
import { Aside, Metrics, Status } from '#features/status';
import { SystemClock } from '#kernel/clock';
import { type RegionConfig, limits } from '#kernel/config';
import { ConsistencyTokens, MacKeyring, SessionIds } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';
import { Every } from './every.js';

/** The schema's version, told in heartbeats: the time stamp of its newest migration. */
const SCHEMA = 1_795_000_000_000;
/** How often answers to idempotency keys that are past their day are forgotten. */
const FORGET_MS = 60_000;

export type Region = ReturnType<typeof createRegion>;

/** Builds everything that one region's process runs, by hand and in order of what needs what; starts nothing. */
export function createRegion(config: RegionConfig, logger: Logger) {
  const { region, regions } = config;
  const peerNames = config.peers.map(({ name }) => name);
  const clock = new SystemClock(config.clockOffsetMs);
  const keyring = new MacKeyring(config.macKeys);
  const database = new Database({ url: config.databaseUrl, region }, logger);
  const redis = new RedisStore({ url: config.redisUrl, scripts: SESSION_SCRIPTS }, logger);
  const hashing = new HashQueue(logger);
  const peers = new Peers(config, clock, logger);
  const metrics = new Metrics(region);
  const routes = new Routes(database, config.routeRegions, logger);

  // Sessions.
  const ids = new SessionIds(keyring, clock);
  const tokens = new ConsistencyTokens(keyring);
  const store = new SessionStore(redis, limits.sessionLifeMs);
  const known = new KnownEndings(database, regions);
  const arrivals = new Arrivals();
  database.listener.on('homeward_arrived', (payload) => arrivals.arrived(payload));
  const feeder = new SessionFeeder(database, store, known, clock, (heard) => database.listener.on('homeward_arrived', heard), logger);
  const sessionPeers = new SessionPeersOverHttp(peers);
  const tokenReader = new TokenReader(ids, regions);
  const checkSession = new CheckSession(region, tokenReader, store, feeder, known, sessionPeers);
  const createSession = new CreateSession(region, limits.sessionLifeMs, ids, store, known);
  const endSession = new EndSession(region, limits.sessionLifeMs, tokenReader, clock, database, feeder, sessionPeers, logger);
  const endAllSessions = new EndAllSessions(region, regions, limits.sessionLifeMs, tokenReader, clock, checkSession, known, database, feeder, sessionPeers, logger);
  const readYourWrites = new ReadYourWrites(region, peers, arrivals);
  const freshSession = new FreshSession(regions, checkSession, database, readYourWrites);

  // Streams over Kafka.
  const kafka = new KafkaPort({ region, brokers: config.kafkaBrokers, replication: config.kafkaReplication }, logger);
  const relay = new OutboxRelay({ region, peers: peerNames, databaseUrl: config.databaseUrl }, database, kafka, logger);
  const peerEvents = new PeerEvents(peers, database, () => feeder.wake(), logger);
  const applier = new StreamApplier({ region, peers: peerNames }, database, [new AccountEffect(), new EpochEffect(() => feeder.wake())], peerEvents, logger);
  const channels = new Channels(peers, (peer, stream) => applier.applied(peer)[stream]);
  const readers = new Map(config.peers.map(({ name, brokers }) => [
    name, new PeerReader({ region, peer: name, brokers, tls: config.tls }, applier, (_, heartbeat) => channels.hear('accounts', heartbeat), logger)]));

  // Database replication and heartbeats.
  const replication = new Replication({
    region, peers: config.peers.map(({ name, database: conninfo }) => ({ name, conninfo })), tls: config.tls, database, ownDatabaseUrl: config.databaseUrl, clock, logger });
  const beat = new Beat(region, clock, { heads: () => relay.heads(), routes: () => routes.summary, macKeys: keyring.keyIds, schema: SCHEMA }, database, (heartbeat) => kafka.beat(Buffer.from(JSON.stringify(heartbeat))), logger);
  const replicatedBeats = new ReplicatedBeats(peerNames, database, (heartbeat) => {
    channels.hear('database', heartbeat);
    applier.noticeHeads(heartbeat.region, heartbeat.heads);
  }, logger);

  // Use cases.
  const attempts = new Attempts(redis, clock, { perIdentifier: config.attemptsPerIdentifier, perAddress: config.attemptsPerAddress, secret: attemptsSecret(config) });
  const reader = new CredentialReader(database, regions);
  const own = { region, minPasswordLength: config.minPasswordLength };
  const createAccount = new CreateAccount(database, hashing, clock, own, (stream, partition) => relay.wake(stream, partition));
  const register = new Register(region, routes, createAccount, peers, database, logger);
  const setPassword = new SetPassword(own, database, reader, hashing, (partition) => relay.wake('epochs', partition));
  const changePassword = new ChangePassword(region, setPassword, peers, database, attempts, () => feeder.applyNow(), logger);
  const signIn = new SignIn({ own: region, reader, routes, hashing, peers, database, attempts, secondReads: new SecondReadBudget(clock), sessions: createSession, passwords: setPassword, channels, logger });
  const profileReader = new ProfileReader(database, regions, readYourWrites);
  const editProfile = new EditProfile(region, database, profileReader, readYourWrites, clock);

  let refusedPeerCalls = 0;
  const status = new Status({ region, peers, channels, routes, relay, applier, readers, kafka, redis, replication, feeder, hashing, database, refusedPeers: () => refusedPeerCalls });
  const noteRefusedPeer = (): void => {
    refusedPeerCalls += 1;
    metrics.peerRefused();
  };

  peers.onAnswer((peer, answer) => {
    keyring.confirm(peers.all.map(({ lastAnswer }) => lastAnswer?.macKeys));
    applier.noticeHeads(peer.name, answer.heads);
    for (const stream of ['accounts', 'epochs'] as const) answer.applied[stream].forEach((number, partition) => relay.confirmed(peer.name, stream, partition, number));
    void routes.compare(peers, peer.name, answer.routes.digest).catch((error: unknown) => logger.warn({ err: error, peer: peer.name }, 'route tables could not be compared'));
  });

  return {
    config, logger, clock, metrics,
    services: { database, routes, tokens, freshSession, endSession, endAllSessions, register, signIn, changePassword, profileReader, editProfile,
      degradation: new Degradation(region, peers), status, aside: new Aside(database), applier, redis, kafka, peers, beat, reader, relay,
      readSessionForPeer: new ReadSessionForPeer(region, store, feeder, known), ownRows: new OwnRows(database, region), statePages: new StatePages(database, region),
      createAccount, setPassword, feeder, applyPeerEnding: new ApplyPeerEnding(clock, store) },
    noteRefusedPeer,
    /** In order of starting; stopped in the opposite order, so that what hands back what it holds still has its database. */
    running: [database, redis, hashing, kafka, replication, feeder, new SessionJanitor(region, database, logger), applier, relay, ...readers.values(), replicatedBeats, beat, peers,
      new Every('forget-answers', FORGET_MS, () => forgetOldAnswers(database), logger)],
  };
}

/** Keys of attempt counters are keyed hashes; every process of the region derives the same key. */
function attemptsSecret(config: RegionConfig): string {
  return createHash('sha256').update(`attempts:${config.macKeys[0]!.secret}`).digest('base64url');
}
