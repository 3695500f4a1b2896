import { ensureCertificates } from './certificates.js';
import type { LocalConfig } from './config.js';
import { ControlServer } from './control/server.js';
import { Custody } from './custody.js';
import { ensureInstalled } from './install.js';
import { watchCommands } from './install/run-command.js';
import { Layout, defaultDataDirectory } from './layout.js';
import { Link } from './link/link.js';
import { Lock } from './lock.js';
import { planPorts, type PortPlan } from './ports.js';
import { Region } from './region.js';
import { checkPorts, checkRoom, ensureSecrets, incarnationsOf, settleRegions } from './state.js';

export interface DeploymentEvents {
  report(line: string): void;
}

/** All regions of one deployment on this machine, the links between them, and the control over both. */
export class Deployment {
  readonly id = 'deployment';
  readonly #config: LocalConfig;
  readonly #events: DeploymentEvents;
  readonly #layout: Layout;
  readonly #custody: Custody;
  readonly #regions = new Map<string, Region>();
  readonly #links: Link[] = [];
  readonly #control: ControlServer;
  #lock: Lock | undefined;
  #isReady = false;
  #isStopping = false;

  constructor(config: LocalConfig, events: DeploymentEvents) {
    this.#config = config;
    this.#events = events;
    this.#layout = new Layout(config.dataDir ?? defaultDataDirectory());
    this.#custody = new Custody(this.#layout.processes);
    this.#control = new ControlServer({ isReady: () => this.#isReady, regions: this.#regions, links: this.#links });
  }

  /** Returns when everything is up. @throws RuntimeFailure with what to tell the person */
  async run(): Promise<void> {
    const { report } = this.#events;
    const layout = this.#layout;
    layout.create();
    this.#lock = Lock.take(layout.lock, this.#config.portBase, report);
    this.#endLeftovers();
    if (this.#config.fresh) this.#forget();
    checkRoom(layout.data);
    checkRoom(layout.postgresRoot);
    const regions = settleRegions(layout, this.#config.regions);
    const plan = planPorts(this.#config.portBase, regions);
    await checkPorts(plan);
    this.#custody.open();
    watchCommands((child) => this.#custody.take(child, 'SIGTERM'));
    const installed = await ensureInstalled(report);
    const secrets = ensureSecrets(layout);
    const certificates = await ensureCertificates(layout.tls, incarnationsOf(layout), Date.now());
    const materials = { layout, plan, regions, installed, secrets, certificates, serviceEnv: this.#config.serviceEnv, custody: this.#custody };
    for (const name of regions) this.#regions.set(name, new Region(name, materials, this.#events));
    this.#makeLinks(regions, plan);
    await this.#control.listen(plan.control);
    await Promise.all(this.#links.map((link) => link.open()));
    this.#failIfStopping();
    await this.#startRegions();
    this.#isReady = true;
    this.#table(plan, this.#config.serviceEnv['HOMEWARD_OPS_TOKEN'] === undefined ? secrets.opsToken : undefined);
  }

  /** Ends the parts in order and waits for them, each within its bound; the data stays. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#isReady = false;
    this.#control.close();
    await Promise.allSettled([...this.#regions.values()].map((region) => region.down('all')));
    await Promise.allSettled(this.#links.map((link) => link.close()));
    this.endNow();
  }

  /** Ends whatever runs, by force, without waiting. */
  endNow(): void {
    this.#isStopping = true;
    for (const region of this.#regions.values()) region.endNow();
    this.#custody.close();
    this.#lock?.release();
  }

  #endLeftovers(): void {
    const count = this.#custody.endLeftovers();
    if (count > 0) this.#events.report(`ended ${count} processes that an earlier start left behind`);
  }

  #forget(): void {
    this.#layout.clear();
    this.#layout.create();
  }

  #makeLinks(regions: readonly string[], plan: PortPlan): void {
    regions.forEach((a, index) => {
      for (const b of regions.slice(index + 1)) {
        const between = plan.links.filter(({ from, to }) => (from === a && to === b) || (from === b && to === a));
        this.#links.push(new Link(a, b, between));
      }
    });
  }

  async #startRegions(): Promise<void> {
    // Every region is waited for, so that a failing one doesn't leave others behind in the middle of their start.
    const results = await Promise.allSettled([...this.#regions.values()].map((region) => region.start()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    // One that lost its disks, and waits to be rebuilt, would be waited for in vain.
    const served = results.map((result) => result.status === 'fulfilled' && result.value);
    if (served.every(Boolean)) await Promise.all([...this.#regions.values()].map((region) => region.untilConnected()));
  }

  #failIfStopping(): void {
    if (this.#isStopping) throw new Error('stopped while starting');
  }

  #table(plan: PortPlan, madeToken: string | undefined): void {
    const rows = [['region', 'public', 'ops', 'peer', 'PostgreSQL', 'Redis', 'Kafka']];
    for (const [name, ports] of Object.entries(plan.regions)) {
      rows.push([name, ...[ports.public, ports.ops, ports.peer, ports.postgres, ports.redis, ports.kafka].map((port) => `127.0.0.1:${port}`)]);
    }
    const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
    for (const row of rows) this.#events.report(row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
    this.#events.report(`control  http://127.0.0.1:${plan.control}   data and logs  ${this.#layout.data}`);
    if (madeToken !== undefined) this.#events.report(`operator token  ${madeToken}`);
  }
}
