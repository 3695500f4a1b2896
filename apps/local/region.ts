import { setTimeout as sleep } from 'node:timers/promises';

import { FIRST_INCARNATION } from '#kernel/ids';
import { ensureCertificates, type RegionCertificate } from './certificates.js';
import type { Custody } from './custody.js';
import { RuntimeFailure } from './failure.js';
import type { Installed } from './install.js';
import { repositoryRoot, type Layout } from './layout.js';
import { grantPeers } from './parts/kafka-access.js';
import { KafkaPart } from './parts/kafka.js';
import { PROBE_MS, SupervisedPart, type PartEvents, type PartName, type PartState } from './parts/part.js';
import { PostgresPart } from './parts/postgres.js';
import { RedisPart } from './parts/redis.js';
import { ServicePart } from './parts/service.js';
import type { PortPlan, RegionPorts } from './ports.js';
import { serviceEnvironment } from './service-environment.js';
import { beginNextIncarnation, incarnationsOf, type Secrets } from './state.js';

export const PART_NAMES = ['api', 'postgres', 'redis', 'kafka'] as const;
/** Migrations of a first start, on a busy machine. */
const READY_MS = 60_000;
/** Copying what the other regions have of it: millions of rows. */
const REBUILT_MS = 600_000;
const READY_EVERY_MS = 100;
/** Topics, subscriptions and their first copies in every region. */
const CONNECTED_MS = 45_000;

/** What all regions of a deployment are made from. */
export interface Materials {
  readonly layout: Layout;
  readonly plan: PortPlan;
  readonly regions: readonly string[];
  readonly installed: Installed;
  readonly secrets: Secrets;
  readonly certificates: Readonly<Record<string, RegionCertificate>>;
  readonly serviceEnv: Readonly<Record<string, string>>;
  readonly custody: Custody;
}

/** One region on this machine: its service and the three parts that it stands on. */
export class Region {
  readonly name: string;
  readonly ports: RegionPorts;
  readonly parts: Readonly<Record<PartName, SupervisedPart>>;
  readonly #service: ServicePart;
  readonly #peers: readonly string[];
  readonly #events: PartEvents;
  readonly #materials: Materials;

  constructor(name: string, materials: Materials, events: PartEvents) {
    const { layout, plan, installed, secrets, custody } = materials;
    this.name = name;
    this.ports = plan.regions[name]!;
    this.#peers = materials.regions.filter((other) => other !== name);
    this.#events = events;
    this.#materials = materials;
    const certificate = materials.certificates[name]!;
    this.#service = new ServicePart(layout, name, this.ports.ops, serviceEnvironment(name, materials));
    const postgres = new PostgresPart(
      layout,
      { region: name, peers: this.#peers, port: this.ports.postgres, password: secrets.databasePassword, binaries: installed.postgres, user: installed.postgresUser, certificate },
      events.report,
    );
    const redis = new RedisPart(layout, name, installed.redis, this.ports.redis, secrets.redisPassword);
    const loggerFile = `${repositoryRoot()}/infra/kafka/log4j2.yaml`;
    const kafka = new KafkaPart(layout, { region: name, plan, java: installed.java, jars: installed.kafkaJars, loggerFile, certificate });
    this.parts = {
      api: new SupervisedPart(this.#service, custody, events),
      postgres: new SupervisedPart(postgres, custody, events),
      redis: new SupervisedPart(redis, custody, events),
      kafka: new SupervisedPart(kafka, custody, events),
    };
  }

  /**
   * The parts side by side, the service as soon as its database and Redis are there; a line for each that comes up.
   * @returns false where the service runs and serves nobody, since it must be rebuilt first
   */
  async start(): Promise<boolean> {
    const kafka = this.#bring('kafka').then(() => grantPeers(`127.0.0.1:${this.ports.kafka}`, this.#peers));
    const api = Promise.all([this.#bring('postgres'), this.#bring('redis')]).then(() => this.#bring('api'));
    await Promise.all([kafka, api]);
    return (await this.#service.mustBeRebuilt(PROBE_MS)) === undefined;
  }

  /** Waits until it reads all its peers; one that can't within the bound is no reason not to begin, and is told. */
  async untilConnected(): Promise<void> {
    const deadline = performance.now() + CONNECTED_MS;
    while (!(await this.#service.isConnected(PROBE_MS))) {
      if (performance.now() > deadline) return this.#events.report(`${this.name} has not connected to all its peers yet; its /ops/status says why`);
      await sleep(READY_EVERY_MS);
    }
  }

  /** @throws RuntimeFailure when a part doesn't come up */
  async up(target: PartName | 'all'): Promise<void> {
    const stores = PART_NAMES.filter((part) => part !== 'api' && (target === 'all' || target === part));
    await Promise.all(stores.map((part) => this.parts[part].up()));
    if (target !== 'all' && target !== 'api') return;
    await this.parts.api.up();
    // Without its database it can't be ready; that it answers is then all that can be waited for.
    if ((await this.parts.postgres.state()) === 'up') await this.#untilReady();
  }

  /** All at once by a signal of violence, as power fails; in order otherwise, the service first. */
  async down(target: PartName | 'all', signal?: NodeJS.Signals): Promise<void> {
    if (target !== 'all') return this.parts[target].down(signal);
    if (signal === 'SIGKILL') return void (await Promise.all(PART_NAMES.map((part) => this.parts[part].down(signal))));
    await this.parts.api.down(signal);
    await Promise.all([this.parts.postgres.down(signal), this.parts.redis.down(signal), this.parts.kafka.down(signal)]);
  }

  async freeze(target: PartName | 'all'): Promise<void> {
    if (target !== 'all') return this.parts[target].freeze();
    await Promise.all(PART_NAMES.filter((part) => this.parts[part].pid !== undefined).map((part) => this.parts[part].freeze()));
  }

  /**
   * Comes back after its disks were lost, as its next incarnation: whatever is left of it is forgotten, and its own rows are
   * copied from the other regions. Returns when it serves and reads them.
   * @throws RuntimeFailure when it doesn't come up, or not every other region answers in time
   */
  async rebuild(): Promise<object> {
    const { layout } = this.#materials;
    await this.down('all', 'SIGKILL');
    beginNextIncarnation(layout, this.name);
    await ensureCertificates(layout.tls, incarnationsOf(layout), Date.now());
    await this.start();
    await this.untilConnected();
    return { incarnation: incarnationsOf(layout)[this.name]!, rebuilt: await this.#service.rebuilt(PROBE_MS) };
  }

  async setClock(offsetMs: number): Promise<void> {
    await this.#service.setClock(this.parts.api, offsetMs);
  }

  async states(): Promise<Record<PartName, PartState>> {
    const states = await Promise.all(PART_NAMES.map((part) => this.parts[part].state()));
    return Object.fromEntries(PART_NAMES.map((part, index) => [part, states[index]!])) as Record<PartName, PartState>;
  }

  endNow(): void {
    for (const part of PART_NAMES) this.parts[part].endNow();
  }

  async #bring(part: PartName): Promise<void> {
    const startedAt = performance.now();
    await this.parts[part].up();
    if (part === 'api') await this.#untilReady();
    this.#events.report(`${this.name} ${part} up after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + (incarnationsOf(this.#materials.layout)[this.name] === FIRST_INCARNATION ? READY_MS : REBUILT_MS);
    while (!(await this.#service.isReady(PROBE_MS))) {
      const why = await this.#service.mustBeRebuilt(PROBE_MS);
      if (why !== undefined) return this.#events.report(`${this.name} api serves nobody: ${why}`);
      if (performance.now() > deadline) throw new RuntimeFailure(`${this.name} api was not ready in time; its log is ${this.#service.logPath}`);
      await sleep(READY_EVERY_MS);
    }
  }
}
