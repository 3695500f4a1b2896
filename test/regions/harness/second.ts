import { join } from 'node:path';
import { type EventSource, KafkaPort, OutboxRelay, OutboxRows, PeerReader, StreamApplier, type StreamEffect } from '#adapters/kafka';
import { Database } from '#adapters/postgres';
import { AccountEffect } from '#features/accounts';
import { EpochEffect } from '#features/passwords';
import { createLogger } from '#kernel/telemetry';
import { databaseUrl } from './deployment.js';
import { eventually } from './eventually.js';
import { portOnLink } from './peer-call.js';
import type { World } from './world.js';

/** Few: what stands beside a service here has no clients. */
const CONNECTIONS = 6;

/** What a second process of a region runs beside its service, against the same parts. */
interface Stopping {
  stop(): Promise<void>;
}

/** A second outbox relay of a region. */
export async function secondRelay(world: World, region: string): Promise<{ relay: OutboxRelay } & Stopping> {
  const [logger, database] = await databaseOf(world, region);
  const kafka = new KafkaPort({ region, brokers: [`127.0.0.1:${world.ports(region).kafka}`], replication: 1 }, logger);
  const relay = new OutboxRelay({ region, peers: peersOf(world, region), databaseUrl: databaseUrl(world.address, region) }, database, kafka, logger);
  relay.run();
  const stop = async (): Promise<void> => {
    await relay.stop();
    await kafka.stop();
    await database.stop();
  };
  return { relay, stop };
}

/** A second applier of a writer's streams; who feeds it is the caller's matter. */
export async function secondApplier(world: World, region: string, writer: string, source: EventSource = nobody): Promise<{ applier: StreamApplier } & Stopping> {
  const [logger, database] = await databaseOf(world, region);
  const applier = new StreamApplier({ region, peers: [writer] }, database, [new AccountEffect(), new EpochEffect(() => undefined), noOrders], source, logger);
  applier.run();
  const stop = async (): Promise<void> => {
    await applier.stop();
    await database.stop();
  };
  return { applier, stop };
}

/** Orders that `writeAll` gives concern their own region alone, so they have no effect here. */
const noOrders: StreamEffect = { stream: 'orders', followsDeadLetters: false, applyBatch: async () => undefined };

const theServices = (): Promise<never> => Promise.reject(new Error('the service does that'));
const nobody: EventSource = { pull: theServices, resync: theServices };

/** A second reader of a peer's streams, which applies them; what Kafka lacks it takes from the peer's outbox itself. */
export async function secondReader(world: World, region: string, peer: string): Promise<{ applier: StreamApplier; reader: PeerReader } & Stopping> {
  const [logger, there] = await databaseOf(world, peer);
  const rows = new OutboxRows(there, peer);
  const second = await secondApplier(world, region, peer, { pull: (_, stream, partition, fromNumber, limit) => rows.page(stream, partition, fromNumber, limit), resync: theServices });
  const { applier } = second;
  const certificate = (name: string): string => join(world.address.data, 'tls', name);
  const tls = { caFile: certificate('ca.crt'), certFile: certificate(`${region}.crt`), keyFile: certificate(`${region}.key`) };
  const reader = new PeerReader({ region, peer, brokers: [`127.0.0.1:${portOnLink(world, region, peer, 'kafka')}`], tls }, applier, () => undefined, logger);
  reader.run();
  const stop = async (): Promise<void> => {
    await reader.stop();
    await second.stop();
    await there.stop();
  };
  return { applier, reader, stop };
}

async function databaseOf(world: World, region: string): Promise<[ReturnType<typeof createLogger>, Database]> {
  const logger = createLogger({ region, level: 'silent' });
  const database = new Database({ url: databaseUrl(world.address, region), region, pool: CONNECTIONS }, logger);
  database.run();
  await eventually(() => {
    if (!database.ready) throw new Error(`the database of ${region} is not ready`);
  });
  return [logger, database];
}

function peersOf(world: World, region: string): string[] {
  return world.regions.filter((name) => name !== region);
}
