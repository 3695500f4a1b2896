/** The services of a region that its peers reach, each through a forwarder of its own. */
const LINK_SERVICES = ['peer', 'kafka', 'postgres'] as const;
export type LinkService = (typeof LINK_SERVICES)[number];

/** Region names become certificate names, role names and listener names; this is what all of them take. */
export const REGION_NAME = /^[a-z][a-z0-9-]{0,15}$/;
/** The ports of nine regions fit their blocks; more than that has no place on one machine anyway. */
export const MAX_REGIONS = 9;

/**
 * Where connections come from that crossed the link: on Linux all of 127/8 is this machine, so that PostgreSQL can tell
 * a peer, who must have a certificate, from the region's own service, and nobody gets past the link. Elsewhere only
 * 127.0.0.1 is there.
 */
export const LINK_SOURCE_ADDRESS = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1';

export interface RegionPorts {
  readonly public: number;
  readonly ops: number;
  readonly peer: number;
  readonly postgres: number;
  readonly redis: number;
  readonly kafka: number;
  readonly kafkaController: number;
  /** By peer: the TLS listener of this region's Kafka that is for that peer. */
  readonly kafkaPeers: Readonly<Record<string, number>>;
}

/** One forwarder: `from` connects to `port` and reaches `service` of `to`, listening on `target`. */
export interface LinkPort {
  readonly from: string;
  readonly to: string;
  readonly service: LinkService;
  readonly port: number;
  readonly target: number;
}

export interface PortPlan {
  readonly control: number;
  readonly regions: Readonly<Record<string, RegionPorts>>;
  readonly links: readonly LinkPort[];
}

const REGION_BLOCK = 100;
const KAFKA_PEER_OFFSET = 10;
const LINK_OFFSET = 500;
const LINK_BLOCK = 30;

/**
 * Every port that a deployment takes, from its base and its regions in their order: control at the base, region n
 * at base + 100 n (public, ops, peer, then its parts), forwarders from base + 500. The same input gives the same ports.
 */
export function planPorts(base: number, regions: readonly string[]): PortPlan {
  const planned: Record<string, RegionPorts> = {};
  regions.forEach((name, index) => {
    const start = base + REGION_BLOCK * (index + 1);
    const kafkaPeers: Record<string, number> = {};
    regions.forEach((peer, peerIndex) => {
      if (peer !== name) kafkaPeers[peer] = start + KAFKA_PEER_OFFSET + peerIndex;
    });
    planned[name] = {
      public: start,
      ops: start + 1,
      peer: start + 2,
      postgres: start + 3,
      redis: start + 4,
      kafka: start + 5,
      kafkaController: start + 6,
      kafkaPeers,
    };
  });
  return { control: base, regions: planned, links: planLinks(base, regions, planned) };
}

function planLinks(base: number, regions: readonly string[], planned: Record<string, RegionPorts>): LinkPort[] {
  const first = base + Math.max(LINK_OFFSET, REGION_BLOCK * (regions.length + 1));
  const links: LinkPort[] = [];
  regions.forEach((from, fromIndex) => {
    regions.forEach((to, toIndex) => {
      if (from === to) return;
      LINK_SERVICES.forEach((service, serviceIndex) => {
        const port = first + fromIndex * LINK_BLOCK + toIndex * LINK_SERVICES.length + serviceIndex;
        links.push({ from, to, service, port, target: targetOf(planned[to]!, from, service) });
      });
    });
  });
  return links;
}

function targetOf(ports: RegionPorts, from: string, service: LinkService): number {
  if (service === 'kafka') return ports.kafkaPeers[from]!;
  return ports[service];
}

/** The port at which `from` reaches `service` of `to`. */
export function linkPort(plan: PortPlan, from: string, to: string, service: LinkService): number {
  const link = plan.links.find((one) => one.from === from && one.to === to && one.service === service);
  if (link === undefined) throw new Error(`no link from ${from} to ${to} for ${service}`);
  return link.port;
}

/** Every port of the plan with what it is for, in words. */
export function portUses(plan: PortPlan): { port: number; use: string }[] {
  const uses = [{ port: plan.control, use: 'the control API' }];
  for (const [name, ports] of Object.entries(plan.regions)) {
    uses.push(
      { port: ports.public, use: `${name}, public API` },
      { port: ports.ops, use: `${name}, ops API` },
      { port: ports.peer, use: `${name}, peer API` },
      { port: ports.postgres, use: `${name}, PostgreSQL` },
      { port: ports.redis, use: `${name}, Redis` },
      { port: ports.kafka, use: `${name}, Kafka` },
      { port: ports.kafkaController, use: `${name}, Kafka controller` },
    );
    for (const [peer, port] of Object.entries(ports.kafkaPeers)) uses.push({ port, use: `${name}, Kafka for ${peer}` });
  }
  for (const link of plan.links) uses.push({ port: link.port, use: `the link from ${link.from} to ${link.to}, ${link.service}` });
  return uses;
}

/** The highest port that a deployment of so many regions takes. */
export function highestPort(base: number, regionCount: number): number {
  const names = Array.from({ length: regionCount }, (_, index) => `r${index}`);
  return Math.max(...portUses(planPorts(base, names)).map((use) => use.port));
}
