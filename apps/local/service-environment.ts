import { existsSync, statfsSync } from 'node:fs';

import { PostgresPart } from './parts/postgres.js';
import { linkPort } from './ports.js';
import type { Materials } from './region.js';

/** PostgreSQL's client must see a dead path soon (`recovery.md`, "PostgreSQL, both sides"). */
const CONNECTION_LIMITS = 'connect_timeout=2 tcp_user_timeout=2500 keepalives_idle=2 keepalives_interval=1 keepalives_count=2';

/** What a region's service keeps of its disk where it isn't told (`docs/decisions/0012`). */
const RESERVED_SHARE = 0.1;
/** Four times what slots may keep. */
const MOST_KEPT_BYTES = 1024 * 1024 * 1024;

/** Everything that a region's service is told. What the person asked for can't replace what the runtime itself decides. */
export function serviceEnvironment(region: string, materials: Materials): Record<string, string> {
  const { plan, secrets, certificates, layout, regions } = materials;
  const ports = plan.regions[region]!;
  const certificate = certificates[region]!;
  const peers = Object.fromEntries(regions.filter((peer) => peer !== region).map((peer) => [peer, peerAddresses(region, peer, materials)]));
  return {
    HOMEWARD_OPS_TOKEN: secrets.opsToken,
    ...roomKept(layout.postgres(region), layout.postgresRoot),
    ...materials.serviceEnv,
    HOMEWARD_REGION: region,
    HOMEWARD_REGIONS: regions.join(','),
    HOMEWARD_HOST: '127.0.0.1',
    HOMEWARD_PUBLIC_PORT: String(ports.public),
    HOMEWARD_OPS_PORT: String(ports.ops),
    HOMEWARD_PEER_PORT: String(ports.peer),
    HOMEWARD_DATABASE_URL: `postgres://homeward:${secrets.databasePassword}@127.0.0.1:${ports.postgres}/homeward`,
    HOMEWARD_DATABASE_DIRECTORY: layout.postgres(region),
    HOMEWARD_REDIS_URL: `redis://:${secrets.redisPassword}@127.0.0.1:${ports.redis}`,
    HOMEWARD_KAFKA_BROKERS: `127.0.0.1:${ports.kafka}`,
    HOMEWARD_TLS_CA: certificate.ca,
    HOMEWARD_TLS_CERT: certificate.cert,
    HOMEWARD_TLS_KEY: certificate.key,
    HOMEWARD_MAC_KEYS: layout.macKeys,
    HOMEWARD_PEERS: JSON.stringify(peers),
  };
}

/** A tenth of a person's own disk, which is large and holds everything else, would be kept for nothing. */
function roomKept(directory: string, root: string): Record<string, string> {
  const { blocks, bsize } = statfsSync(existsSync(directory) ? directory : root);
  return blocks * bsize * RESERVED_SHARE > MOST_KEPT_BYTES ? { HOMEWARD_DATABASE_RESERVE_BYTES: String(MOST_KEPT_BYTES) } : {};
}

/** A peer as this region sees it: every address is the link's. */
function peerAddresses(region: string, peer: string, { plan, layout }: Materials): { url: string; brokers: string[]; database: string } {
  const tls = PostgresPart.tlsPaths(layout, region);
  const database = [
    `host=${peer} hostaddr=127.0.0.1 port=${linkPort(plan, region, peer, 'postgres')} dbname=homeward user=peer_${region}`,
    `sslmode=verify-full sslrootcert=${quoted(tls.ca)} sslcert=${quoted(tls.cert)} sslkey=${quoted(tls.key)}`,
    CONNECTION_LIMITS,
  ].join(' ');
  return {
    url: `https://127.0.0.1:${linkPort(plan, region, peer, 'peer')}`,
    brokers: [`127.0.0.1:${linkPort(plan, region, peer, 'kafka')}`],
    database,
  };
}

/** A value of a connection string that may hold spaces. */
function quoted(value: string): string {
  return /^[\w./-]+$/.test(value) ? value : `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
