import { hash, randomFillSync } from 'node:crypto';
import type { Clock } from '#kernel/clock';
import { type MacKeyring } from './mac-keyring.js';
import { bytesToUuid, uuidToBytes } from './uuid.js';

/** A token is at most 16 + 1 + 43 + 1 + 23 characters; anything much longer isn't worth looking at. */
const maxTokenLength = 200;

/**
 * `<region>.<id>.<mac>`: the last characters of id (32 bytes) and mac (17 bytes) carry two bits that must be zero, so exactly one text stands for each
 * token; two texts of one session could be ended once and used twice.
 */
const tokenForm = /^([a-z][a-z0-9-]{0,15})\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])\.([A-Za-z0-9_-]{22}[AEIMQUYcgkosw048])$/;

const idBytes = 32;
const accountBytes = 16;

/** A session as its token tells it, without any look-up. */
export interface SessionToken {
  /** The origin: the region that made it. */
  region: string;
  account: string;
  /** SHA-256 of `region.id`: what Redis and ended_session keep, so that neither holds a usable token. */
  hash: Buffer;
  createdAtMs: number;
}

/**
 * Makes and reads session tokens. The id is the account's UUID and 16 bytes like a UUIDv7: the time of creation and 74 random bits. It is told from a
 * forgery by its mac alone, before any look-up (design.md, "Sessions, exactly").
 */
export class SessionIds {
  readonly #keyring: MacKeyring;
  readonly #clock: Pick<Clock, 'wallMs'>;

  constructor(keyring: MacKeyring, clock: Pick<Clock, 'wallMs'>) {
    this.#keyring = keyring;
    this.#clock = clock;
  }

  /** Another number after the keys have changed. */
  get keysVersion(): number {
    return this.#keyring.version;
  }

  /** A new token of this region for an account (UUID). */
  create(region: string, account: string): SessionToken & { token: string } {
    const createdAtMs = Math.floor(this.#clock.wallMs());
    const bytes = Buffer.allocUnsafe(idBytes);
    uuidToBytes(account).copy(bytes);
    randomFillSync(bytes, accountBytes);
    bytes.writeUIntBE(createdAtMs, accountBytes, 6);
    bytes[accountBytes + 6] = 0x70 | (bytes[accountBytes + 6]! & 0x0f);
    bytes[accountBytes + 8] = 0x80 | (bytes[accountBytes + 8]! & 0x3f);
    const id = `${region}.${bytes.toString('base64url')}`;
    const token = `${id}.${this.#keyring.sign('session', id).toString('base64url')}`;
    return { token, region, account, hash: hashOf(id), createdAtMs };
  }

  /** Reads a token; undefined for everything that no region with our keys made. Never throws, whatever the text. */
  parse(token: string): SessionToken | undefined {
    if (token.length > maxTokenLength) return undefined;
    const match = tokenForm.exec(token);
    if (match === null) return undefined;
    const region = match[1]!;
    const encodedId = match[2]!;
    const signed = token.slice(0, region.length + 1 + encodedId.length);
    if (!this.#keyring.verify('session', signed, Buffer.from(match[3]!, 'base64url'))) return undefined;
    const bytes = Buffer.from(encodedId, 'base64url');
    return {
      region,
      account: bytesToUuid(bytes.subarray(0, accountBytes)),
      hash: hashOf(signed),
      createdAtMs: bytes.readUIntBE(accountBytes, 6),
    };
  }
}

function hashOf(id: string): Buffer {
  return hash('sha256', id, 'buffer');
}
