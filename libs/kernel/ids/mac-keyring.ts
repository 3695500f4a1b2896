import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

/** What a mac is for. Each has keys of its own, so that one kind of token can never be passed off as another. */
export type MacPurpose = 'session' | 'consistency';

/** A key as it stands in the key file: the same in every region. */
export interface MacKey {
  /** 1..255; a newer key has a higher id. */
  id: number;
  /** base64url of at least 32 random bytes. */
  secret: string;
}

type DerivedKeys = Record<MacPurpose, KeyObject>;

const purposes: readonly MacPurpose[] = ['session', 'consistency'];
const macBytes = 16;
const leastSecretBytes = 32;

/** The bytes of a tag: the key's id and 16 bytes of HMAC-SHA256. */
export const TAG_BYTES = 1 + macBytes;

/**
 * The keys that the regions share. Any key of the ring verifies; one signs. A new key is put into every region's file first and signs only after every
 * peer has said that it knows it, because a token that a peer can't verify would be a 401 there.
 */
export class MacKeyring {
  #keys: ReadonlyMap<number, DerivedKeys>;
  #keyIds: readonly number[];
  #signingKeyId: number;
  #version = 0;

  /** Throws TypeError when there is no key, an id stands twice or is out of 1..255, or a secret is shorter than 32 bytes or no base64url. */
  constructor(keys: readonly MacKey[]) {
    this.#keys = deriveAll(keys);
    this.#keyIds = idsOf(this.#keys);
    // The oldest key is the one that every region is sure to know until the peers have said more.
    this.#signingKeyId = this.#keyIds[0]!;
  }

  /** The ids of the ring, ascending. */
  get keyIds(): readonly number[] {
    return this.#keyIds;
  }

  /** Counts the rings taken: what was verified under an earlier one may not be under this. */
  get version(): number {
    return this.#version;
  }

  get signingKeyId(): number {
    return this.#signingKeyId;
  }

  /**
   * Takes these keys in place of those before; `confirm` tells when a newer one may sign. Throws TypeError as the constructor does, when an id that stays
   * has another secret, and when the key that signs is not among them, since no other one is known to be in every region; then the ring is as it was.
   */
  replace(keys: readonly MacKey[]): void {
    const derived = deriveAll(keys);
    for (const [id, { session }] of derived) {
      const before = this.#keys.get(id)?.session;
      if (before !== undefined && !before.equals(session)) throw new TypeError(`The mac key ${id} has another secret than before: a new secret needs a new id`);
    }
    if (!derived.has(this.#signingKeyId)) throw new TypeError(`The mac key ${this.#signingKeyId} signs: it can be removed when a newer one does`);
    this.#keys = derived;
    this.#keyIds = idsOf(derived);
    this.#version += 1;
  }

  /**
   * Chooses the signing key: the highest id of the ring that every peer knows. `keyIdsPerPeer` has one list for each peer, undefined for a peer that has
   * not said yet; then, and when no key is known to all, the present choice stays. Without any peer the highest id signs.
   */
  confirm(keyIdsPerPeer: readonly (readonly number[] | undefined)[]): void {
    const known: (readonly number[])[] = [];
    for (const ids of keyIdsPerPeer) {
      if (ids === undefined) return;
      known.push(ids);
    }
    const confirmed = this.#keyIds.findLast((id) => known.every((ids) => ids.includes(id)));
    if (confirmed !== undefined) this.#signingKeyId = confirmed;
  }

  /** The 17 bytes of a tag: 1 byte of key id, 16 bytes of HMAC-SHA256 under the signing key of that purpose. */
  sign(purpose: MacPurpose, data: string | Uint8Array): Buffer {
    return this.#tag(this.#keys.get(this.#signingKeyId)![purpose], this.#signingKeyId, data);
  }

  /** Whether a tag was made by a key of the ring for this purpose and data. In constant time but for the key id, which is no secret. */
  verify(purpose: MacPurpose, data: string | Uint8Array, tag: Uint8Array): boolean {
    if (tag.length !== TAG_BYTES) return false;
    const keys = this.#keys.get(tag[0]!);
    return keys !== undefined && timingSafeEqual(this.#tag(keys[purpose], tag[0]!, data), tag);
  }

  #tag(key: KeyObject, id: number, data: string | Uint8Array): Buffer {
    const digest = createHmac('sha256', key).update(data).digest();
    // The id goes before the 16 bytes that are kept, in one small copy.
    const tag = Buffer.allocUnsafe(TAG_BYTES);
    tag[0] = id;
    digest.copy(tag, 1, 0, macBytes);
    return tag;
  }
}

function deriveAll(keys: readonly MacKey[]): ReadonlyMap<number, DerivedKeys> {
  const derived = new Map<number, DerivedKeys>();
  for (const { id, secret } of keys) {
    if (!Number.isInteger(id) || id < 1 || id > 255) throw new TypeError('The id of a mac key is an integer from 1 to 255');
    if (derived.has(id)) throw new TypeError(`The mac key ${id} stands twice in the ring`);
    derived.set(id, deriveKeys(id, secret));
  }
  if (derived.size === 0) throw new TypeError('A mac keyring has at least one key');
  return derived;
}

function idsOf(keys: ReadonlyMap<number, DerivedKeys>): readonly number[] {
  return [...keys.keys()].toSorted((a, b) => a - b);
}

/** KeyObjects are made once: with a raw key each mac costs seven times as much (hot-paths.md). */
function deriveKeys(id: number, secret: string): DerivedKeys {
  const bytes = Buffer.from(secret, 'base64url');
  if (bytes.length < leastSecretBytes || bytes.toString('base64url') !== secret) {
    throw new TypeError(`The secret of mac key ${id} must be at least ${leastSecretBytes} bytes as base64url`);
  }
  const root = createSecretKey(bytes);
  const derived = purposes.map((purpose) => [purpose, createSecretKey(createHmac('sha256', root).update(`homeward:${purpose}`).digest())] as const);
  return Object.fromEntries(derived) as DerivedKeys;
}
