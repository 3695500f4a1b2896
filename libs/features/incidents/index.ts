export { Compensate } from './compensate.js';
export { IncidentRows } from './incident-rows.js';
export { type IncidentRow, findIncident, mergeIncidents } from './merge-incidents.js';
export { ReadIncidents } from './read-incidents.js';
export { Refusals } from './refusals.js';
export { WatchPeers } from './watch-peers.js';
