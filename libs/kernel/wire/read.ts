import { isUtf8 } from 'node:buffer';

/** A region's name as it stands in messages. */
const regionForm = /^[a-z][a-z0-9-]{0,15}$/;
/** toISOString's form, the only one that we write. */
const isoForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** base64url of 32 bytes, its last two bits zero. */
const sha256Form = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export type JsonObject = Record<string, unknown>;

/** The object that JSON bytes stand for; undefined when they aren't UTF-8, JSON or an object. Never throws. */
export function parseObject(bytes: Uint8Array | string): JsonObject | undefined {
  if (typeof bytes !== 'string' && !isUtf8(bytes)) return undefined;
  const text = typeof bytes === 'string' ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isRegion(value: unknown): value is string {
  return typeof value === 'string' && regionForm.test(value);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** An ISO time that exists: 30 February and 24:00 parse, to another day. */
export function isIsoTime(value: unknown): value is string {
  if (typeof value !== 'string' || !isoForm.test(value)) return false;
  return new Date(value).getUTCDate() === Number(value.slice(8, 10));
}

/** base64url of a SHA-256. */
export function isSha256(value: unknown): value is string {
  return typeof value === 'string' && sha256Form.test(value);
}

export function isBoundedText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= maxLength && value.isWellFormed() && !value.includes('\0');
}

/** The first member of an object that isn't in the list; undefined when all are. */
export function unknownMember(object: JsonObject, known: ReadonlySet<string>): string | undefined {
  for (const member in object) {
    if (!known.has(member)) return member;
  }
  return undefined;
}
