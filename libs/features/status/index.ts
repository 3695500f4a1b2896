export { Aside } from './aside.js';
export { Metrics, type PeerRefusal } from './metrics.js';
export { Status } from './status.js';
