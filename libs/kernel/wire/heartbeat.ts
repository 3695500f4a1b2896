import { isUuid } from '#kernel/ids';
import { PARTITIONS, type StreamName, STREAMS } from './events.js';
import { isBoundedText, isCount, isObject, isRegion, type JsonObject, parseObject } from './read.js';

/** One number for each partition of each stream. */
export type StreamPositions = Record<StreamName, number[]>;

/** What a region says of itself every 250 ms, the same in both channels; `beat` counts up from 1 per boot. */
export interface Heartbeat {
  region: string;
  /** The random id of the process's start; `monoMs` and `beat` mean something only together with it. */
  boot: string;
  beat: number;
  /** The sender's monotonic and wall clock, in ms. */
  monoMs: number;
  wallMs: number;
  /** The highest event numbers written, so that a lost tail shows in the other channel. */
  heads: StreamPositions;
  routes: { version: number; digest: string };
  /** The ids of the mac keys that the region knows. */
  macKeys: number[];
  /** The version of the database's migrations. */
  schema: number;
  /** Tells the region's database from every other one that claims to be the region's; regions of before incarnations don't say. */
  identity?: string;
}

/** What GET /peer/v1/heartbeat answers: also whether its database takes writes, and how far the asker's own events are applied there. */
export interface HeartbeatAnswer extends Heartbeat {
  serving: boolean;
  applied: StreamPositions;
  /** The identity of the asker's database as it is known there; absent where none is. */
  known?: string;
}

const maxBootLength = 64;
const digestForm = /^[0-9a-f]{64}$/;
/** As many as there are key ids; more would be no key ring. */
const maxMacKeys = 255;

/** The JSON bytes of a heartbeat for the Kafka channel. */
export function encodeHeartbeat(heartbeat: Heartbeat): Buffer {
  return Buffer.from(JSON.stringify(copyHeartbeat(heartbeat)));
}

/** Reads a heartbeat from JSON bytes; undefined when it isn't one. Never throws. */
export function decodeHeartbeat(bytes: Uint8Array | string): Heartbeat | undefined {
  return readHeartbeat(parseObject(bytes));
}

/**
 * Reads a heartbeat from a parsed value (an HTTP answer, a row). Members that aren't known are read over, unlike in events: regions of two versions must
 * see each other alive, and nothing in a heartbeat is lost for good. Undefined when a member is missing or malformed.
 */
export function readHeartbeat(value: unknown): Heartbeat | undefined {
  if (!isObject(value) || !isHeartbeat(value)) return undefined;
  return copyHeartbeat(value as unknown as Heartbeat);
}

/** Reads the answer of a peer's heartbeat route. */
export function readHeartbeatAnswer(value: unknown): HeartbeatAnswer | undefined {
  const heartbeat = readHeartbeat(value);
  const { applied, serving, known } = value as JsonObject;
  if (heartbeat === undefined || !isPositions(applied) || typeof serving !== 'boolean') return undefined;
  return { ...heartbeat, serving, applied: copyPositions((value as HeartbeatAnswer).applied), ...(isIdentity(known) ? { known } : {}) };
}

function isHeartbeat(value: JsonObject): boolean {
  const { routes, macKeys } = value;
  return (
    isRegion(value['region']) &&
    isBoundedText(value['boot'], maxBootLength) &&
    isCount(value['beat']) &&
    isTime(value['monoMs']) &&
    isTime(value['wallMs']) &&
    isPositions(value['heads']) &&
    isObject(routes) &&
    isCount(routes['version']) &&
    typeof routes['digest'] === 'string' &&
    digestForm.test(routes['digest']) &&
    Array.isArray(macKeys) &&
    macKeys.length <= maxMacKeys &&
    macKeys.every(isCount) &&
    isCount(value['schema']) &&
    (value['identity'] === undefined || isIdentity(value['identity']))
  );
}

function isIdentity(value: unknown): value is string {
  return typeof value === 'string' && isUuid(value);
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

/** A region that is older than a stream doesn't name it, and is seen alive all the same. */
function isPositions(value: unknown): boolean {
  return isObject(value) && STREAMS.every((stream) => value[stream] === undefined || isPositionList(value[stream]));
}

function isPositionList(value: unknown): boolean {
  return Array.isArray(value) && value.length === PARTITIONS && value.every(isCount);
}

function copyHeartbeat({ region, boot, beat, monoMs, wallMs, heads, routes, macKeys, schema, identity }: Heartbeat): Heartbeat {
  const { version, digest } = routes;
  return { region, boot, beat, monoMs, wallMs, heads: copyPositions(heads), routes: { version, digest }, macKeys: [...macKeys], schema, ...(identity === undefined ? {} : { identity }) };
}

function copyPositions(positions: Partial<StreamPositions>): StreamPositions {
  return positionsBy((stream) => [...(positions[stream] ?? Array.from({ length: PARTITIONS }, () => 0))]);
}

/** Positions, stream by stream. */
export function positionsBy(list: (stream: StreamName) => number[]): StreamPositions {
  return Object.fromEntries(STREAMS.map((stream) => [stream, list(stream)])) as StreamPositions;
}
