/**
 * What crosses a region border through Kafka, and nothing else: an entity is never sent. The log of versions:
 *
 * | v | since | what |
 * | --- | --- | --- |
 * | 1 | the first release | streams `accounts` (an account was created) and `epochs` (passwords and sessions before this epoch have ended) |
 *
 * Any change of a payload, a new member included, takes a new version: a region that doesn't know it keeps the message aside and replays it after its
 * upgrade, whereas one that skipped the unknown member would have lost it for ever.
 */
export const WIRE_VERSION = 1;

/** The streams, each with its own topic `homeward.<stream>` and its own numbers. */
export const STREAMS = ['accounts', 'epochs'] as const;
export type StreamName = (typeof STREAMS)[number];

/** Partitions of every stream; what the numbers run in. Changing it would renumber the streams, so it is fixed. */
export const PARTITIONS = 4;

/** An account was created by its home. */
export interface AccountEvent {
  id: string;
  /** Normalised. */
  identifier: string;
  /** The NORMALIZATION_VERSION that made it. */
  normalization: number;
  home: string;
  /** ISO 8601, UTC. */
  createdAt: string;
}

/** The epoch of an account rose: older passwords and sessions have ended, but for the session whose hash is `keep`. */
export interface EpochEvent {
  account: string;
  epoch: number;
  /** base64url of the 32 bytes of a session hash. */
  keep?: string;
}

interface Envelope<Stream extends StreamName, Payload> {
  v: typeof WIRE_VERSION;
  writer: string;
  stream: Stream;
  partition: number;
  /** 1, 2, 3… without gaps per (writer, stream, partition). */
  number: number;
  /** The account's id, also the Kafka key. */
  key: string;
  payload: Payload;
}

export type AccountMessage = Envelope<'accounts', AccountEvent>;
export type EpochMessage = Envelope<'epochs', EpochEvent>;
export type StreamMessage = AccountMessage | EpochMessage;

/** As much of an envelope as could be read from a message that isn't understood, for the dead-letter table. */
export interface PartialEnvelope {
  v?: number;
  writer?: string;
  stream?: string;
  partition?: number;
  number?: number;
  key?: string;
  payload?: unknown;
}

/** `unknown-version` waits for an upgrade and is replayed by itself; `malformed` needs a person. */
export type DecodedMessage =
  | { ok: true; message: StreamMessage }
  | { ok: false; reason: 'malformed' | 'unknown-version'; detail: string; message?: PartialEnvelope };
