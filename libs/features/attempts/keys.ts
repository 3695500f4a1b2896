import { type KeyObject, createHmac, createSecretKey } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';

/** Characters of a digest that are kept: 96 bits, more than enough to tell identifiers apart. */
const KEPT = 16;

/** Makes keys that tell nothing of the identifier they stand for, not even to who holds the store and a list of phone numbers. */
export class AttemptKeys {
  private readonly secret: KeyObject;

  constructor(secret: string) {
    this.secret = createSecretKey(Buffer.from(secret));
  }

  identifier(identifier: string): string {
    return createHmac('sha256', this.secret).update(identifier).digest('base64url').slice(0, KEPT);
  }
}

/**
 * What counts as one address: IPv4 as it is (also where mapped into IPv6), IPv6 by its /64, since that is what one
 * subscriber has. A text that is no address stands for itself.
 */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIPv4(address) || !isIPv6(address)) return address;
  const [head = '', tail = ''] = address.toLowerCase().split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = address.includes('::') ? [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right] : left;
  return `${groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(':')}::/64`;
}
