export { ClaimRegion } from './claim-region.js';
export { Incarnations } from './incarnations.js';
export { KeptRows } from './kept-rows.js';
