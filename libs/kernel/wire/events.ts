/**
 * What crosses a region border through Kafka, and nothing else: an entity is never sent. The log of versions:
 *
 * | v | since | what |
 * | --- | --- | --- |
 * | 1 | the first release | streams `accounts` (an account was created) and `epochs` (passwords and sessions before this epoch have ended) |
 * | 1 | money | stream `orders` (what one region asks another to do about money). A region that doesn't know the stream doesn't read its topic; its writers keep the events until it does |
 *
 * Any change of a payload, a new member included, takes a new version: a region that doesn't know it keeps the message aside and replays it after its
 * upgrade, whereas one that skipped the unknown member would have lost it for ever.
 */
export const WIRE_VERSION = 1;

/** The streams, each with its own topic `homeward.<stream>` and its own numbers. */
export const STREAMS = ['accounts', 'epochs', 'orders'] as const;
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

/** What an order of each kind has in common: `to` is the region that acts; all others take its number without effect. */
interface Order<Kind extends string> {
  kind: Kind;
  to: string;
}

/** A transfer as it was ordered, whole, so that whoever gets it can decide it without anything else. */
export interface TransferOrder {
  /** Stands for payer, key and content (docs/decisions/0013): the same order given twice is one transfer. */
  id: string;
  payer: string;
  payee: string;
  payeeHome: string;
  /** Minor units, positive. */
  amount: number;
  memo?: string;
  /** base64url of SHA-256 of the client's Idempotency-Key. */
  key: string;
  /** Evidence of the session that ordered it: base64url of its hash, and the credential epoch that it was made under. */
  session: string;
  epoch: number;
  /** The region that took it, and when by its clock, ISO 8601. */
  acceptedBy: string;
  requestedAt: string;
}

/** To the payer's home: decide this transfer, that you could not be asked about when it was ordered. */
export interface RequestEvent extends Order<'request'>, TransferOrder {}
/** To the payer's home: decide that this transfer doesn't happen, if you have not decided it yet. */
export interface CancelEvent extends Order<'cancel'>, TransferOrder {}
/** To the payee's home: the payer was debited, credit the payee. */
export interface CreditEvent extends Order<'credit'> {
  id: string;
  payer: string;
  payee: string;
  amount: number;
  memo?: string;
  decidedAt: string;
}
/** To the account's home: redeem this voucher of the account. */
export interface RedeemEvent extends Order<'redeem'> {
  voucher: string;
  account: string;
}
/** To the account's home: grant a voucher, once per account and key. */
export interface GrantEvent extends Order<'grant'> {
  account: string;
  /** As the operator gave it. */
  key: string;
  amount: number;
  memo?: string;
  incident?: string;
}
export type OrderEvent = RequestEvent | CancelEvent | CreditEvent | RedeemEvent | GrantEvent;

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
/** Its key is the account that is acted for: the payer of a request, the payee of a credit. */
export type OrderMessage = Envelope<'orders', OrderEvent>;
export type StreamMessage = AccountMessage | EpochMessage | OrderMessage;

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
