import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { programEnvironment } from '../config.js';
import type { RegionCertificate } from '../certificates.js';
import { runCommand } from '../install/run-command.js';
import type { Layout } from '../layout.js';
import { linkPort, type PortPlan, type RegionPorts } from '../ports.js';
import { ask } from './ask.js';
import type { PartCommand, PartProgram } from './part.js';

const FORMAT_MS = 60_000;
/** Small and quick to start: a development broker with a few topics. */
const JVM = ['-Xms160m', '-Xmx160m', '-Xss512k', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:ReservedCodeCacheSize=48m', '-XX:MaxDirectMemorySize=64m', '-Xshare:auto', '-Djava.awt.headless=true'];

export interface KafkaOptions {
  readonly region: string;
  readonly plan: PortPlan;
  readonly java: string;
  /** The folder of jars, and the logger's settings. */
  readonly jars: string;
  readonly loggerFile: string;
  readonly certificate: RegionCertificate;
}

/**
 * A region's Kafka: one process, KRaft. Its own service comes in plainly over loopback; each peer through the link to a
 * TLS listener of its own, which advertises the link's port, so that a client never leaves the link by a broker's word.
 */
export class KafkaPart implements PartProgram {
  readonly name = 'kafka';
  readonly region: string;
  readonly logPath: string;
  readonly stopSignal = 'SIGTERM';
  readonly startMs = 60_000;
  readonly #options: KafkaOptions;
  readonly #ports: RegionPorts;
  readonly #directory: string;

  constructor(layout: Layout, options: KafkaOptions) {
    this.region = options.region;
    this.logPath = layout.log(options.region, 'kafka');
    this.#options = options;
    this.#ports = options.plan.regions[options.region]!;
    this.#directory = layout.part(options.region, 'kafka');
  }

  async prepare(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.#writeStore();
    writeFileSync(this.#properties, this.#configuration(this.#data), { mode: 0o600 });
    if (!existsSync(this.#data)) await this.#format();
  }

  command(): PartCommand {
    return {
      file: this.#options.java,
      args: [...JVM, ...this.#classPath(), 'kafka.Kafka', this.#properties],
      env: programEnvironment(),
      cwd: this.#directory,
    };
  }

  /** It answers when it tells its protocol versions (ApiVersions, version 0, no client id). */
  probe(deadlineMs: number): Promise<boolean> {
    const question = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
    return ask(this.#ports.kafka, question, (received) => (received.length >= 8 ? received.readInt32BE(4) === 1 : undefined), deadlineMs);
  }

  get #data(): string {
    return join(this.#directory, 'data');
  }
  get #properties(): string {
    return join(this.#directory, 'server.properties');
  }
  get #store(): string {
    return join(this.#directory, 'region.pem');
  }

  #classPath(): string[] {
    return [`-Dlog4j2.configurationFile=${this.#options.loggerFile}`, '-cp', join(this.#options.jars, '*')];
  }

  /** Kafka wants the key and its certificate in one file. */
  #writeStore(): void {
    const { key, cert } = this.#options.certificate;
    writeFileSync(this.#store, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'), { mode: 0o600 });
  }

  /** Formats beside its place and moves it there whole, so that an interrupted one is never taken for one. */
  async #format(): Promise<void> {
    const fresh = join(this.#directory, 'data.new');
    const properties = join(this.#directory, 'format.properties');
    rmSync(fresh, { recursive: true, force: true });
    writeFileSync(properties, this.#configuration(fresh), { mode: 0o600 });
    // In one word with its flag: one id in 64 begins with a dash, which the tool would take for a flag of its own.
    const clusterId = randomBytes(16).toString('base64url');
    const args = [...JVM, ...this.#classPath(), 'kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', properties];
    await runCommand(this.#options.java, args, { env: programEnvironment(), cwd: this.#directory, timeoutMs: FORMAT_MS });
    rmSync(properties);
    renameSync(fresh, this.#data);
  }

  #configuration(data: string): string {
    const { region, plan, certificate } = this.#options;
    const ports = this.#ports;
    const peers = Object.entries(ports.kafkaPeers).map(([peer, port]) => {
      return { name: `PEER_${peer.toUpperCase().replaceAll('-', '_')}`, port, advertised: linkPort(plan, peer, region, 'kafka') };
    });
    const own = `LOCAL://127.0.0.1:${ports.kafka}`;
    const settings: Record<string, string> = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@127.0.0.1:${ports.kafkaController}`,
      listeners: [own, `CONTROLLER://127.0.0.1:${ports.kafkaController}`, ...peers.map((peer) => `${peer.name}://127.0.0.1:${peer.port}`)].join(','),
      'advertised.listeners': [own, ...peers.map((peer) => `${peer.name}://127.0.0.1:${peer.advertised}`)].join(','),
      'listener.security.protocol.map': ['LOCAL:PLAINTEXT', 'CONTROLLER:PLAINTEXT', ...peers.map((peer) => `${peer.name}:SSL`)].join(','),
      'inter.broker.listener.name': 'LOCAL',
      'controller.listener.names': 'CONTROLLER',
      'log.dirs': data,

      'ssl.client.auth': 'required',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': this.#store,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': certificate.ca,
      'ssl.principal.mapping.rules': 'RULE:^CN=([a-z][a-z0-9-]*)$/$1/,DEFAULT',
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      // Only the plain listener on loopback has clients without a name; each TLS client has its certificate's.
      'super.users': 'User:ANONYMOUS',
      'allow.everyone.if.no.acl.found': 'false',

      'auto.create.topics.enable': 'false',
      'offsets.topic.num.partitions': '4',
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.num.partitions': '2',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'share.coordinator.state.topic.num.partitions': '1',
      'share.coordinator.state.topic.replication.factor': '1',
      'share.coordinator.state.topic.min.isr': '1',
      // Readers across the link join with a new group each time; waiting for others would outlast their watchdog.
      'group.initial.rebalance.delay.ms': '0',
      // A killed broker is let in again only when its old session is over; by default that takes 9 s.
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
      'num.network.threads': '2',
      'num.io.threads': '3',
      'background.threads': '2',
      'log.cleaner.dedupe.buffer.size': '4194304',
      'log.segment.bytes': '67108864',
      // What was deleted stays deleted when the broker is killed a moment later; by default it may come back for a minute.
      'log.flush.start.offset.checkpoint.interval.ms': '1000',
      // That begins so long after the broker's start; by default half a minute.
      'log.initial.task.delay.ms': '1000',
    };
    return `${Object.entries(settings).map(([name, value]) => `${name}=${value}`).join('\n')}\n`;
  }
}
