import { isUuid } from '#kernel/ids';
import type { OrderEvent } from './events.js';
import { isBoundedText, isCount, isIsoTime, isRegion, isSha256, type JsonObject } from './read.js';

/** In UTF-16 units; what a client may write is less. */
const maxMemoLength = 512;
const maxKeyLength = 128;

type Check = (value: unknown) => boolean;

const id: Check = (value) => typeof value === 'string' && isUuid(value);
const amount: Check = (value) => isCount(value) && value > 0;
const memo: Check = (value) => value === undefined || isBoundedText(value, maxMemoLength);
const transfer: Record<string, Check> = {
  id, payer: id, payee: id, payeeHome: isRegion, amount, memo, key: isSha256, session: isSha256, epoch: isCount, acceptedBy: isRegion, requestedAt: isIsoTime,
};

/** The members of each kind besides `kind` and `to`, in the order in which they are written, and which of them is the account acted for. */
const kinds: Record<OrderEvent['kind'], { readonly key: string; readonly members: Record<string, Check> }> = {
  request: { key: 'payer', members: transfer },
  cancel: { key: 'payer', members: transfer },
  credit: { key: 'payee', members: { id, payer: id, payee: id, amount, memo, decidedAt: isIsoTime } },
  redeem: { key: 'account', members: { voucher: id, account: id } },
  grant: { key: 'account', members: { account: id, key: (value) => isBoundedText(value, maxKeyLength), amount, memo, incident: (value) => value === undefined || id(value) } },
};

/** An order with its members in fixed order. */
export function encodeOrder(order: OrderEvent): OrderEvent {
  const given = order as unknown as JsonObject;
  const names = ['kind', 'to', ...Object.keys(kinds[order.kind].members)];
  return Object.fromEntries(names.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]))) as unknown as OrderEvent;
}

/** What is wrong with the payload of an order; undefined where nothing is. */
export function faultOfOrder(payload: JsonObject, key: unknown): string | undefined {
  const kind = typeof payload['kind'] === 'string' && Object.hasOwn(kinds, payload['kind']) ? kinds[payload['kind'] as OrderEvent['kind']] : undefined;
  if (kind === undefined) return 'payload.kind is no kind of order';
  if (!isRegion(payload['to'])) return "payload.to is not a region's name";
  for (const member in payload) {
    if (member !== 'kind' && member !== 'to' && !Object.hasOwn(kind.members, member)) return 'payload has a member that version 1 does not have';
  }
  for (const [member, fits] of Object.entries(kind.members)) if (!fits(payload[member])) return `payload.${member} is malformed`;
  return payload[kind.key] === key ? undefined : `payload.${kind.key} is not the key`;
}
