import { type Part, insertion } from '#adapters/postgres';
import { partitionOf } from '#kernel/routing';
import { type OrderEvent, PARTITIONS, WIRE_VERSION } from '#kernel/wire';

const COLUMNS = ['stream text', 'partition smallint', 'version smallint', 'key uuid', 'payload jsonb'];

/** The part that puts orders to other regions into the outbox, in the transaction of what they follow from. */
export function orderEvents(events: readonly OrderEvent[]): Part[] {
  return insertion('outbox', COLUMNS, events.map((event) => {
    const key = keyOf(event);
    return ['orders', partitionOf(key, PARTITIONS), WIRE_VERSION, key, JSON.stringify(event)];
  }));
}

/** The account that an order acts for: its events are carried out in their order. */
export function keyOf(event: OrderEvent): string {
  if (event.kind === 'credit') return event.payee;
  return event.kind === 'redeem' || event.kind === 'grant' ? event.account : event.payer;
}
