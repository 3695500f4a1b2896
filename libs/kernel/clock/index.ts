export { type Clock, SystemClock } from './clock.js';
export { ClockMap, type HeartbeatSample } from './clock-map.js';
export { Pause } from './pause.js';
export { nextStamp, stampToIso } from './stamp.js';
