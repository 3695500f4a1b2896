import { isUuid } from '#kernel/ids';
import { type AccountEvent, type DecodedMessage, type EpochEvent, PARTITIONS, type PartialEnvelope, type StreamMessage, STREAMS, WIRE_VERSION } from './events.js';
import { encodeOrder, faultOfOrder } from './orders.js';
import { isBoundedText, isCount, isIsoTime, isObject, isRegion, isSha256, type JsonObject, parseObject, unknownMember } from './read.js';

/** The largest message that is read: a hundred times an account event, and far below what a broker takes. */
const maxMessageBytes = 64 * 1_024;
const maxIdentifierLength = 254;

const envelopeMembers: ReadonlySet<string> = new Set(['v', 'writer', 'stream', 'partition', 'number', 'key', 'payload']);
const accountMembers: ReadonlySet<string> = new Set(['id', 'identifier', 'normalization', 'home', 'createdAt']);
const epochMembers: ReadonlySet<string> = new Set(['account', 'epoch', 'keep']);

/** The bytes of a message, its members in fixed order, so that the same message always has the same bytes. */
export function encodeMessage(message: StreamMessage): Buffer {
  const { writer, stream, partition, number, key } = message;
  return Buffer.from(JSON.stringify({ v: WIRE_VERSION, writer, stream, partition, number, key, payload: encodePayload(message) }));
}

/**
 * Reads a message and checks every member by hand (a schema library costs several times as much on this path). Never throws: what can't be read comes
 * back with a reason and with as much of the envelope as there is, so that it can be kept whole in the dead-letter table.
 */
export function decodeMessage(bytes: Uint8Array | string): DecodedMessage {
  if (bytes.length > maxMessageBytes) return { ok: false, reason: 'malformed', detail: `more than ${maxMessageBytes} bytes` };
  const value = parseObject(bytes);
  if (value === undefined) return { ok: false, reason: 'malformed', detail: 'not an object in JSON and UTF-8' };
  if (isCount(value['v']) && value['v'] > WIRE_VERSION) {
    return { ok: false, reason: 'unknown-version', detail: `version ${value['v']} is newer than ${WIRE_VERSION}`, message: partialEnvelope(value) };
  }
  const fault = faultOfEnvelope(value) ?? faultOfPayload(value);
  if (fault !== undefined) return { ok: false, reason: 'malformed', detail: fault, message: partialEnvelope(value) };
  return { ok: true, message: value as unknown as StreamMessage };
}

function encodePayload(message: StreamMessage): StreamMessage['payload'] {
  if (message.stream === 'accounts') return encodeAccount(message.payload);
  return message.stream === 'epochs' ? encodeEpoch(message.payload) : encodeOrder(message.payload);
}

function encodeAccount({ id, identifier, normalization, home, createdAt }: AccountEvent): AccountEvent {
  return { id, identifier, normalization, home, createdAt };
}

function encodeEpoch({ account, epoch, keep }: EpochEvent): EpochEvent {
  return keep === undefined ? { account, epoch } : { account, epoch, keep };
}

function faultOfEnvelope(value: JsonObject): string | undefined {
  const unknown = unknownMember(value, envelopeMembers);
  if (unknown !== undefined) return 'a member that version 1 does not have';
  if (value['v'] !== WIRE_VERSION) return 'v is not 1';
  if (!isRegion(value['writer'])) return "writer is not a region's name";
  if (!(STREAMS as readonly unknown[]).includes(value['stream'])) return `stream is none of ${STREAMS.join(', ')}`;
  if (!isCount(value['partition']) || value['partition'] >= PARTITIONS) return `partition is not below ${PARTITIONS}`;
  if (!isCount(value['number']) || value['number'] === 0) return 'number is not a positive integer';
  if (typeof value['key'] !== 'string' || !isUuid(value['key'])) return 'key is not a UUID';
  return undefined;
}

function faultOfPayload({ stream, key, payload }: JsonObject): string | undefined {
  if (!isObject(payload)) return 'payload is not an object';
  if (stream === 'orders') return faultOfOrder(payload, key);
  const account = stream === 'accounts';
  if (unknownMember(payload, account ? accountMembers : epochMembers) !== undefined) return 'payload has a member that version 1 does not have';
  return account ? faultOfAccount(payload, key) : faultOfEpoch(payload, key);
}

function faultOfAccount(payload: JsonObject, key: unknown): string | undefined {
  if (payload['id'] !== key) return 'payload.id is not the key';
  if (!isBoundedText(payload['identifier'], maxIdentifierLength)) return 'payload.identifier is not a text of 1 to 254 characters';
  if (!isCount(payload['normalization']) || payload['normalization'] === 0) return 'payload.normalization is not a positive integer';
  if (!isRegion(payload['home'])) return "payload.home is not a region's name";
  if (!isIsoTime(payload['createdAt'])) return 'payload.createdAt is not an ISO time';
  return undefined;
}

function faultOfEpoch(payload: JsonObject, key: unknown): string | undefined {
  if (payload['account'] !== key) return 'payload.account is not the key';
  if (!isCount(payload['epoch'])) return 'payload.epoch is not an integer from 0';
  const keep = payload['keep'];
  if (keep !== undefined && !isSha256(keep)) return 'payload.keep is not a session hash';
  return undefined;
}

function partialEnvelope(value: JsonObject): PartialEnvelope {
  const envelope: PartialEnvelope = {};
  if (isCount(value['v'])) envelope.v = value['v'];
  if (isRegion(value['writer'])) envelope.writer = value['writer'];
  if (isBoundedText(value['stream'], 64)) envelope.stream = value['stream'];
  if (isCount(value['partition'])) envelope.partition = value['partition'];
  if (isCount(value['number'])) envelope.number = value['number'];
  if (isBoundedText(value['key'], 256)) envelope.key = value['key'];
  if (value['payload'] !== undefined) envelope.payload = value['payload'];
  return envelope;
}
