export { Aside, type AsidePage } from './aside.js';
export { Metrics, type PeerRefusal } from './metrics.js';
export { Status, type StatusParts } from './status.js';
