export { NORMALIZATION_VERSION, normalizeIdentifier } from './identifier.js';
export { partitionOf, SLOTS, slotOf, slotOfBytes } from './slot.js';
export { differingSlots, digestOf, evenTable, homeOf, parseTable, type RouteTable } from './table.js';
