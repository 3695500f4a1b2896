import type { Transaction } from '#adapters/postgres';
import type { StreamMessage, StreamName } from '#kernel/wire';
import type { OutboxPage } from './outbox-rows.js';

/** What the messages of one stream do here; features own these. */
export interface StreamEffect {
  readonly stream: StreamName;
  /**
   * Whether later messages of a key follow an earlier one that was kept aside. False where every message stands on its
   * own, as an epoch does (design, rule 4).
   */
  readonly followsDeadLetters: boolean;
  /** Of such a stream, a message that waits behind none all the same, and none behind it: it is kept aside without its key. */
  standsAlone?(message: StreamMessage): boolean;
  /**
   * Does what the messages say, all of one writer and partition, in order of their numbers, in the transaction that also
   * advances the position. An error that lies in the data makes the applier find the one message and keep it aside.
   */
  applyBatch(tx: Transaction, messages: readonly StreamMessage[]): Promise<void>;
  /** Called after COMMIT; must not throw. */
  applied?(messages: readonly StreamMessage[]): void;
}

/** What is asked of a peer over HTTP when Kafka did not bring it. */
export interface EventSource {
  /** Events from a number on. Throws when the peer can not be asked. */
  pull(peer: string, stream: StreamName, partition: number, fromNumber: number, limit: number): Promise<OutboxPage>;
  /**
   * The peer no longer has events up to `upTo`: copies the state that they led to, so that every effect of those numbers
   * is there when this resolves. May be called again after a failure.
   */
  resync(peer: string, stream: StreamName, partition: number, upTo: number): Promise<void>;
}
