import { hash } from 'node:crypto';
import { uuidToBytes } from '#kernel/ids';

/** How many slots there are: fixed for ever, because the contract says how a slot is computed. */
export const SLOTS = 1024;

/**
 * The slot of a normalised identifier, 0..1023: the first 4 bytes of its SHA-256, big-endian, modulo 1024.
 * Give it only what `normalizeIdentifier` returned.
 */
export function slotOf(identifier: string): number {
  return firstWord(identifier) % SLOTS;
}

/** The same function of bytes, for keys that aren't identifiers. */
export function slotOfBytes(bytes: Uint8Array): number {
  return firstWord(bytes) % SLOTS;
}

/**
 * The partition of an account's events, 0..partitions-1, computed by us so that it doesn't hang on a client library: the first 4 bytes of SHA-256 of
 * the UUID's 16 bytes, big-endian, modulo the number of partitions. Throws TypeError when the id is no UUID.
 */
export function partitionOf(accountId: string, partitions: number): number {
  return firstWord(uuidToBytes(accountId)) % partitions;
}

/** By way of hex, which Node gives in two fifths of the time of a buffer (measured). */
function firstWord(of: string | Uint8Array): number {
  return Number.parseInt(hash('sha256', of, 'hex').slice(0, 8), 16);
}
