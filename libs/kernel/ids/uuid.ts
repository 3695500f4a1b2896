import { v7 } from 'uuid';

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A new UUIDv7 in lower case, made where the row is made; sorts by time roughly, decides nothing. */
export function newId(): string {
  return v7();
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
