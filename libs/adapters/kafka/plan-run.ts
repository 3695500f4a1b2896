import { isUtf8 } from 'node:buffer';
import { type DecodedMessage, type StreamMessage, type StreamName, decodeMessage } from '#kernel/wire';

/** Where messages belong. */
export interface Address {
  readonly writer: string;
  readonly stream: StreamName;
  readonly partition: number;
}

/** One message as it came in. */
export interface Incoming {
  readonly bytes: Uint8Array | string;
  /** Its Kafka offset; undefined when it was pulled. */
  readonly offset: number | undefined;
  /** The number that it must have where its bytes can't say: pages that are pulled are in order. */
  readonly expected?: number;
  /** The writer's head, by its own word after this message had come: it has given no number above it. */
  readonly writerHead?: number | undefined;
}

export type LetterReason = 'malformed' | 'unknown-version' | 'misaddressed' | 'unwritten' | 'refused' | 'follows-dead-letter';

/** A message to be kept aside, whole. */
export interface Letter {
  readonly number: number | null;
  readonly offset: number | null;
  readonly key: string | null;
  readonly version: number | null;
  /** The message's text, or base64 where `detail` begins with "base64". */
  readonly body: string;
  readonly reason: LetterReason;
  readonly detail: string;
}

/** One number's worth of work: a message to apply, or one to keep aside. */
export interface Step {
  readonly number: number;
  readonly incoming: Incoming;
  readonly message?: StreamMessage;
  readonly letter?: Letter;
}

export interface Plan {
  /** Consecutive, from the position + 1. */
  readonly steps: readonly Step[];
  /** Messages that can't be read and have no number, or one that the writer has not given: the gap that they leave is pulled. */
  readonly strays: readonly Letter[];
  /** The Kafka offset of the last message whose number is applied, or will be with `steps`. */
  readonly passed: number | undefined;
  /** The number seen behind a gap; nothing from there on is in `steps`. */
  readonly gapAt: number | undefined;
}

/** Largest version that a dead letter's column holds. */
const MAX_VERSION = 32_767;
const MAX_DETAIL = 1_000;

/**
 * What to do with a batch at position `last` (design, rule 3): skip n <= last, take n = last + 1, stop at a gap. Pure.
 */
export function planRun(batch: readonly Incoming[], last: number, address: Address): Plan {
  const steps: Step[] = [];
  const strays: Letter[] = [];
  let passed: number | undefined;
  let next = last + 1;
  for (const incoming of batch) {
    const step = readStep(incoming, next, address);
    if (step.number === undefined) {
      strays.push(step.letter);
      continue;
    }
    if (step.number > next) return { steps, strays, passed, gapAt: step.number };
    passed = incoming.offset ?? passed;
    if (step.number < next) continue;
    steps.push(step);
    next += 1;
  }
  return { steps, strays, passed, gapAt: undefined };
}

/** The dead letter that stands for a message. */
export function letterOf(incoming: Incoming, reason: LetterReason, detail: string, known: { number?: number | undefined; key?: string | undefined; v?: number | undefined } = {}): Letter {
  const { body, encoded } = textOf(incoming.bytes);
  const version = known.v !== undefined && known.v <= MAX_VERSION ? known.v : null;
  const said = `${encoded ? 'base64; ' : ''}${detail}`.replaceAll('\0', '').toWellFormed().slice(0, MAX_DETAIL);
  return { number: known.number ?? null, offset: incoming.offset ?? null, key: known.key ?? null, version, body, reason, detail: said };
}

type ReadStep = Step | { readonly number: undefined; readonly letter: Letter };

function readStep(incoming: Incoming, next: number, address: Address): ReadStep {
  const decoded = decodeMessage(incoming.bytes);
  const claimed = decoded.message !== undefined && isAt(decoded.message, address) ? (decoded.message.number ?? 0) : 0;
  if (claimed > (incoming.writerHead ?? Infinity)) {
    // Its key is not believed either: later messages of that key do not follow it.
    return { number: undefined, letter: letterOf(incoming, 'unwritten', `number ${claimed}, but the writer's head is ${incoming.writerHead}`, { v: decoded.message!.v }) };
  }
  if (decoded.ok && isAt(decoded.message, address)) return { number: decoded.message.number, incoming, message: decoded.message };
  const { envelope, reason, detail } = fault(decoded, address);
  const number = envelope?.number ?? (incoming.expected === next ? next : undefined);
  const letter = letterOf(incoming, reason, detail, { ...envelope, number });
  return number === undefined ? { number, letter } : { number, incoming, letter };
}

/** Why it can't be applied, and as much of its envelope as may be trusted: nothing of one that belongs elsewhere. */
function fault(decoded: DecodedMessage, address: Address) {
  if (decoded.ok) return { envelope: undefined, reason: 'misaddressed' as const, detail: 'the message belongs to another writer, stream or partition' };
  const { message, reason, detail } = decoded;
  return { envelope: message !== undefined && isAt(message, address) ? message : undefined, reason, detail };
}

function isAt(message: { writer?: string; stream?: string; partition?: number }, { writer, stream, partition }: Address): boolean {
  return message.writer === writer && message.stream === stream && message.partition === partition;
}

/** A text column holds neither bytes that are not UTF-8 nor a zero byte; such a body is kept as base64. */
function textOf(bytes: Uint8Array | string): { body: string; encoded: boolean } {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer) && !buffer.includes(0)) return { body: buffer.toString('utf8'), encoded: false };
  return { body: buffer.toString('base64'), encoded: true };
}
