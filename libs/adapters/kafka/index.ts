export { KafkaPort } from './kafka-port.js';
export { OutboxRelay } from './outbox-relay.js';
export { type OutboxPage, OutboxRows } from './outbox-rows.js';
export { PeerReader } from './peer-reader.js';
export { StreamApplier } from './stream-applier.js';
export type { EventSource, StreamEffect } from './stream-effect.js';
