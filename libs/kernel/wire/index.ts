export { decodeMessage, encodeMessage } from './codec.js';
export * from './events.js';
export {
  decodeHeartbeat,
  encodeHeartbeat,
  type Heartbeat,
  type HeartbeatAnswer,
  positionsBy,
  readHeartbeat,
  readHeartbeatAnswer,
  type StreamPositions,
} from './heartbeat.js';
export { isIsoTime } from './read.js';
