export { DeadLetters, type ReplayOutcome } from './dead-letters.js';
export { KafkaPort, type KafkaPortOptions, type KafkaPortStatus } from './kafka-port.js';
export { OutboxRelay, type OutboxRelayOptions, type OutboxRelayStatus } from './outbox-relay.js';
export { type OutboxPage, OutboxRows } from './outbox-rows.js';
export { PeerReader, type PeerReaderOptions, type PeerReaderStatus } from './peer-reader.js';
export { StreamApplier, type StreamApplierOptions, type WriterStatus } from './stream-applier.js';
export type { EventSource, StreamEffect } from './stream-effect.js';
