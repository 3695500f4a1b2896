import { hash } from 'node:crypto';
import { v7 } from 'uuid';

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A new UUIDv7 in lower case, made where the row is made; sorts by time roughly, decides nothing. */
export function newId(): string {
  return v7();
}

/**
 * The UUIDv8 of what it stands for: the first 16 bytes of SHA-256 of kind and parts, so that regions that can't ask each other give the same thing the
 * same id (design.md, rule 6; docs/decisions/0013).
 */
export function hashedId(kind: string, ...parts: readonly (string | number | null)[]): string {
  const bytes = hash('sha256', JSON.stringify([kind, ...parts]), 'buffer');
  bytes[6] = 0x80 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytesToUuid(bytes.subarray(0, 16));
}

/** Whether a text is a UUID in the one form that we write: lower case, with dashes. */
export function isUuid(text: string): boolean {
  return uuidForm.test(text);
}

/** The 16 bytes of a UUID in our form. Throws TypeError for anything else: check what comes from outside with `isUuid` first. */
export function uuidToBytes(id: string): Buffer {
  if (!uuidForm.test(id)) throw new TypeError('Not a UUID in lower case');
  return Buffer.from(id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24), 'hex');
}

/** The UUID of 16 bytes. Throws TypeError when there aren't 16. */
export function bytesToUuid(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new TypeError('A UUID has 16 bytes');
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
