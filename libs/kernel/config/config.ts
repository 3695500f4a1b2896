import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isLoopback } from './loopback.js';

/** What one peer is reached by, as seen from here (through the link). */
export interface PeerConfig {
  readonly name: string;
  /** Base address of its peer listener. */
  readonly url: string;
  readonly brokers: readonly string[];
  /** libpq connection string for this region's apply worker and slot connection. */
  readonly database: string;
}

/** One region's whole configuration, read once at start. */
export interface RegionConfig {
  readonly region: string;
  readonly regions: readonly string[];
  readonly routeRegions: readonly string[];
  readonly host: string;
  readonly ports: { readonly public: number; readonly ops: number; readonly peer: number };
  readonly databaseUrl: string;
  readonly databaseDisk: { readonly directory: string | undefined; readonly capacityBytes: number | undefined; readonly reserveBytes: number | undefined };
  readonly redisUrl: string;
  readonly kafkaBrokers: readonly string[];
  readonly kafkaReplication: number;
  readonly tls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string };
  readonly macKeysFile: string;
  readonly macKeys: readonly { readonly id: number; readonly secret: string }[];
  readonly peers: readonly PeerConfig[];
  readonly opsToken: string;
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly attemptsPerIdentifier: number;
  readonly attemptsPerAddress: number;
  readonly minPasswordLength: number;
  /** ISO 4217; one for the whole deployment. */
  readonly currency: string;
  /** How long a transfer request may wait for its home. */
  readonly transferExpiryMs: number;
  /** Minutes between audits that nobody asked for; 0: none. */
  readonly auditMinutes: number;
  readonly clockOffsetMs: number;
  readonly logLevel: string;
  /** The ways out for notifications; one that is absent is not used. */
  readonly smtp: { readonly url: string; readonly from: string } | undefined;
  readonly webhook: { readonly url: string; readonly secret: string } | undefined;
  /** Attempts after which a delivery is given up and shown. */
  readonly deliveryAttempts: number;
  /** How long a peer is unreachable before an announcement is drafted. */
  readonly announceAfterMs: number;
  /** Whether what was drafted is published without an operator. */
  readonly autoAnnounce: boolean;
}

/** Every problem of the configuration at once, by variable name. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`the configuration has ${problems.length} problem(s):\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

const name = z.string().regex(/^[a-z][a-z0-9-]{0,15}$/, 'a region name is 1 to 16 of a-z, 0-9 and -, beginning with a letter');
const list = (item: z.ZodType<string, string>) =>
  z.string().transform((text) => text.split(',').map((part) => part.trim()).filter((part) => part !== '')).pipe(z.array(item));
const port = z.coerce.number().int().min(1).max(65_535);
const bytes = z.coerce.number().int().min(1);
const file = z.string().min(1).refine(readable, 'no such file, or not readable');
const json = <T extends z.ZodType>(schema: T) => z.string().transform(parseJson).pipe(schema);
const macKeys = z.array(z.strictObject({ id: z.number().int().min(1).max(255), secret: z.string().min(43) })).min(1);
const smtpUrl = z.string().regex(/^smtps?:\/\/./, 'begins with smtp:// or smtps://').refine((text) => URL.canParse(text), 'is no address');
/** A display name is allowed; the address must be one that others can answer to. */
const sender = z.string().regex(/^([^<>@\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/, 'is a sender such as Homeward <no-reply@example.com>');
const webhookUrl = z.url().refine(isSafeWebhook, 'is https without user and password, but for an address of this machine');
const webhookSecret = z.string().refine((text) => /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text) && Buffer.from(text.slice(6), 'base64').length >= 24, 'is whsec_ and the base64 of 24 bytes or more');
const peers = z.record(name, z.strictObject({ url: z.url(), brokers: z.array(z.string().min(1)).min(1), database: z.string().min(1) }));

const environment = z
  .object({
    HOMEWARD_REGION: name,
    HOMEWARD_REGIONS: list(name),
    HOMEWARD_ROUTE_REGIONS: list(name).optional(),
    HOMEWARD_HOST: z.string().default('127.0.0.1'),
    HOMEWARD_PUBLIC_PORT: port,
    HOMEWARD_OPS_PORT: port,
    HOMEWARD_PEER_PORT: port,
    HOMEWARD_DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//),
    HOMEWARD_DATABASE_DIRECTORY: z.string().min(1).optional(),
    HOMEWARD_DATABASE_CAPACITY_BYTES: bytes.optional(),
    HOMEWARD_DATABASE_RESERVE_BYTES: bytes.optional(),
    HOMEWARD_REDIS_URL: z.string().regex(/^rediss?:\/\//),
    HOMEWARD_KAFKA_BROKERS: list(z.string().regex(/^.+:\d+$/)),
    HOMEWARD_KAFKA_REPLICATION: z.coerce.number().int().min(1).max(9).default(1),
    HOMEWARD_TLS_CA: file,
    HOMEWARD_TLS_CERT: file,
    HOMEWARD_TLS_KEY: file,
    HOMEWARD_MAC_KEYS: file,
    HOMEWARD_PEERS: json(peers).default({}),
    HOMEWARD_OPS_TOKEN: z.string().min(1),
    HOMEWARD_CORS_ORIGINS: list(z.string()).default([]),
    HOMEWARD_TRUSTED_PROXIES: list(z.string()).default([]),
    HOMEWARD_ATTEMPTS_PER_IDENTIFIER: z.coerce.number().int().min(1).default(10),
    HOMEWARD_ATTEMPTS_PER_ADDRESS: z.coerce.number().int().min(1).default(100),
    HOMEWARD_MIN_PASSWORD_LENGTH: z.coerce.number().int().min(8).max(64).default(8),
    HOMEWARD_CURRENCY: z.string().regex(/^[A-Z]{3}$/, 'a currency is three capital letters').default('EUR'),
    HOMEWARD_TRANSFER_EXPIRY_SECONDS: z.coerce.number().int().min(1).max(365 * 86_400).default(86_400),
    HOMEWARD_AUDIT_MINUTES: z.coerce.number().min(0).max(1_440).default(10),
    HOMEWARD_CLOCK_OFFSET_MS: z.coerce.number().default(0),
    HOMEWARD_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    HOMEWARD_SMTP_URL: smtpUrl.optional(),
    HOMEWARD_SMTP_FROM: sender.optional(),
    HOMEWARD_WEBHOOK_URL: webhookUrl.optional(),
    HOMEWARD_WEBHOOK_SECRET: webhookSecret.optional(),
    HOMEWARD_DELIVERY_ATTEMPTS: z.coerce.number().int().min(1).max(100).default(20),
    HOMEWARD_ANNOUNCE_AFTER_SECONDS: z.coerce.number().min(1).default(30),
    HOMEWARD_AUTO_ANNOUNCE: z.enum(['true', 'false']).default('false'),
  })
  .refine((env) => env.HOMEWARD_SMTP_URL === undefined || env.HOMEWARD_SMTP_FROM !== undefined, { path: ['HOMEWARD_SMTP_FROM'], message: 'is missing, and HOMEWARD_SMTP_URL is given' })
  .refine((env) => env.HOMEWARD_WEBHOOK_URL === undefined || env.HOMEWARD_WEBHOOK_SECRET !== undefined, { path: ['HOMEWARD_WEBHOOK_SECRET'], message: 'is missing, and HOMEWARD_WEBHOOK_URL is given' })
  .refine((env) => env.HOMEWARD_REGIONS.includes(env.HOMEWARD_REGION), { path: ['HOMEWARD_REGIONS'], message: 'does not name HOMEWARD_REGION' })
  .refine((env) => env.HOMEWARD_REGIONS.every((region) => region === env.HOMEWARD_REGION || region in env.HOMEWARD_PEERS), {
    path: ['HOMEWARD_PEERS'],
    message: 'lacks an address for a region of HOMEWARD_REGIONS',
  });

/**
 * Environment to one typed object, once.
 * @throws ConfigError naming every variable that is missing or wrong
 */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): RegionConfig {
  const read = environment.safeParse(env);
  if (!read.success) throw new ConfigError(read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  const all = read.data;
  return {
    region: all.HOMEWARD_REGION,
    regions: [...all.HOMEWARD_REGIONS].sort(),
    routeRegions: [...(all.HOMEWARD_ROUTE_REGIONS ?? all.HOMEWARD_REGIONS)].sort(),
    host: all.HOMEWARD_HOST,
    ports: { public: all.HOMEWARD_PUBLIC_PORT, ops: all.HOMEWARD_OPS_PORT, peer: all.HOMEWARD_PEER_PORT },
    databaseUrl: all.HOMEWARD_DATABASE_URL,
    databaseDisk: { directory: all.HOMEWARD_DATABASE_DIRECTORY, capacityBytes: all.HOMEWARD_DATABASE_CAPACITY_BYTES, reserveBytes: all.HOMEWARD_DATABASE_RESERVE_BYTES },
    redisUrl: all.HOMEWARD_REDIS_URL,
    kafkaBrokers: all.HOMEWARD_KAFKA_BROKERS,
    kafkaReplication: all.HOMEWARD_KAFKA_REPLICATION,
    tls: { caFile: all.HOMEWARD_TLS_CA, certFile: all.HOMEWARD_TLS_CERT, keyFile: all.HOMEWARD_TLS_KEY },
    macKeysFile: all.HOMEWARD_MAC_KEYS,
    macKeys: readMacKeys(all.HOMEWARD_MAC_KEYS),
    peers: all.HOMEWARD_REGIONS.filter((region) => region !== all.HOMEWARD_REGION).map((region) => ({ name: region, ...all.HOMEWARD_PEERS[region]! })),
    opsToken: all.HOMEWARD_OPS_TOKEN,
    corsOrigins: all.HOMEWARD_CORS_ORIGINS,
    trustedProxies: all.HOMEWARD_TRUSTED_PROXIES,
    attemptsPerIdentifier: all.HOMEWARD_ATTEMPTS_PER_IDENTIFIER,
    attemptsPerAddress: all.HOMEWARD_ATTEMPTS_PER_ADDRESS,
    minPasswordLength: all.HOMEWARD_MIN_PASSWORD_LENGTH,
    currency: all.HOMEWARD_CURRENCY,
    transferExpiryMs: all.HOMEWARD_TRANSFER_EXPIRY_SECONDS * 1_000,
    auditMinutes: all.HOMEWARD_AUDIT_MINUTES,
    clockOffsetMs: all.HOMEWARD_CLOCK_OFFSET_MS,
    logLevel: all.HOMEWARD_LOG_LEVEL,
    smtp: all.HOMEWARD_SMTP_URL === undefined ? undefined : { url: all.HOMEWARD_SMTP_URL, from: all.HOMEWARD_SMTP_FROM! },
    webhook: all.HOMEWARD_WEBHOOK_URL === undefined ? undefined : { url: all.HOMEWARD_WEBHOOK_URL, secret: all.HOMEWARD_WEBHOOK_SECRET! },
    deliveryAttempts: all.HOMEWARD_DELIVERY_ATTEMPTS,
    announceAfterMs: all.HOMEWARD_ANNOUNCE_AFTER_SECONDS * 1_000,
    autoAnnounce: all.HOMEWARD_AUTO_ANNOUNCE === 'true',
  };
}

/** The keys of a key file as they stand in it now. @throws ConfigError where it is no such file */
export function readMacKeys(path: string): RegionConfig['macKeys'] {
  const keys = readable(path) ? macKeys.safeParse(parseJson(readFileSync(path, 'utf8'))) : undefined;
  if (keys?.success !== true) throw new ConfigError(['HOMEWARD_MAC_KEYS: the file is not a list of {id, secret}']);
  return keys.data;
}

/** A notification is private: it leaves this machine encrypted, or not at all. */
function isSafeWebhook(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Unparsable text becomes undefined, which every schema behind it refuses by name. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
