import { type MacKeyring, TAG_BYTES } from './mac-keyring.js';
import { bytesToUuid, uuidToBytes } from './uuid.js';

/** What a write can be waited for. The order is part of the format: add at the end only. */
const CONSISTENCY_KINDS = ['account', 'password', 'profile', 'signout', 'wallet', 'request', 'notices', 'redeem'] as const;
export type ConsistencyKind = (typeof CONSISTENCY_KINDS)[number];

/** The versions of an account's rows that a client has written, by kind and by the region that wrote; what is absent was not written. */
export interface ConsistencyVersions {
  account: string;
  versions: Partial<Record<ConsistencyKind, Record<string, number>>>;
}

/** Room for every kind in a dozen regions; a header that is longer is not ours. */
const maxTextLength = 2_560;
const formatVersion = 1;
const regionForm = /^[a-z][a-z0-9-]{0,15}$/;
const textForm = /^[A-Za-z0-9_-]+$/;
const headerBytes = 1 + 16 + 1;

/**
 * The `Homeward-Consistency` header: 1 byte format, 16 bytes account, 1 byte count, then entries in order of (kind, region): 1 byte kind, 1 byte length
 * of the region's name, the name, 8 bytes version; 17 bytes mac; all of it base64url.
 */
export class ConsistencyTokens {
  readonly #keyring: MacKeyring;

  constructor(keyring: MacKeyring) {
    this.#keyring = keyring;
  }

  /** The token's text. Throws RangeError for a version that is no safe positive integer or a malformed region: mistakes of the caller. */
  encode({ account, versions }: ConsistencyVersions): string {
    const entries = CONSISTENCY_KINDS.flatMap((kind, index) => encodeEntries(index, versions[kind] ?? {}));
    const body = Buffer.concat([Buffer.from([formatVersion]), uuidToBytes(account), Buffer.from([entries.length]), ...entries]);
    const text = Buffer.concat([body, this.#keyring.sign('consistency', body)]).toString('base64url');
    if (text.length > maxTextLength) throw new RangeError('A consistency token is longer than 2,560 characters');
    return text;
  }

  /** Reads a token; undefined for everything that isn't whole and ours, which is then ignored as the contract says. Never throws. */
  decode(text: string): ConsistencyVersions | undefined {
    if (text.length > maxTextLength || !textForm.test(text)) return undefined;
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length < headerBytes + TAG_BYTES || bytes.toString('base64url') !== text) return undefined;
    const body = bytes.subarray(0, -TAG_BYTES);
    if (!this.#keyring.verify('consistency', body, bytes.subarray(-TAG_BYTES))) return undefined;
    return body[0] === formatVersion ? decodeBody(body) : undefined;
  }

  /**
   * What a write answers: the token that it was sent with (a, if any) and its own (b), the higher version for each kind and region. A token of another
   * account says nothing about this one, so then it is b alone.
   */
  merge(a: ConsistencyVersions | undefined, b: ConsistencyVersions): ConsistencyVersions {
    if (a === undefined || a.account !== b.account) return b;
    const versions: ConsistencyVersions['versions'] = {};
    for (const kind of CONSISTENCY_KINDS) {
      const merged = mergeRegions(a.versions[kind], b.versions[kind]);
      if (merged !== undefined) versions[kind] = merged;
    }
    return { account: b.account, versions };
  }
}

function mergeRegions(a: Record<string, number> | undefined, b: Record<string, number> | undefined): Record<string, number> | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const merged = new Map(Object.entries(a));
  for (const [region, version] of Object.entries(b)) merged.set(region, Math.max(version, merged.get(region) ?? 0));
  return Object.fromEntries(merged);
}

function encodeEntries(kindIndex: number, regions: Record<string, number>): Buffer[] {
  return Object.keys(regions)
    .toSorted()
    .map((region) => {
      const version = regions[region]!;
      if (!regionForm.test(region)) throw new RangeError('A consistency token names a malformed region');
      if (!Number.isSafeInteger(version) || version < 0) throw new RangeError('A version in a consistency token is a safe integer');
      const entry = Buffer.alloc(2 + region.length + 8);
      entry[0] = kindIndex;
      entry[1] = region.length;
      entry.write(region, 2, 'latin1');
      entry.writeBigUInt64BE(BigInt(version), 2 + region.length);
      return entry;
    });
}

/** The mac has said that a region made these bytes; the checks remain because a newer region may have made what this one doesn't know. */
function decodeBody(body: Buffer): ConsistencyVersions | undefined {
  const byKind = new Map<ConsistencyKind, Map<string, number>>();
  const count = body[headerBytes - 1]!;
  let offset = headerBytes;
  for (let read = 0; read < count; read += 1) {
    const kind = CONSISTENCY_KINDS[body[offset] ?? -1];
    const end = offset + 2 + (body[offset + 1] ?? 0) + 8;
    if (kind === undefined || end > body.length) return undefined;
    const region = body.toString('latin1', offset + 2, end - 8);
    const version = Number(body.readBigUInt64BE(end - 8));
    if (!regionForm.test(region) || !Number.isSafeInteger(version)) return undefined;
    const regions = byKind.get(kind) ?? new Map<string, number>();
    byKind.set(kind, regions.set(region, version));
    offset = end;
  }
  if (offset !== body.length) return undefined;
  const versions = Object.fromEntries([...byKind].map(([kind, regions]) => [kind, Object.fromEntries(regions)]));
  return { account: bytesToUuid(body.subarray(1, 17)), versions };
}
