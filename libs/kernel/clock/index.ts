export { type Clock, SystemClock } from './clock.js';
export { ClockMap, type HeartbeatSample } from './clock-map.js';
export { nextStamp, stampToIso } from './stamp.js';
