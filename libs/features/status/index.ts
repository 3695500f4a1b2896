export { Aside, type AsidePage } from './aside.js';
export { Metrics } from './metrics.js';
export { Status, type StatusParts } from './status.js';
