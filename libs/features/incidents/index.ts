export { Compensate, type Compensated } from './compensate.js';
export { IncidentRows } from './incident-rows.js';
export { type Incident, type IncidentRow, findIncident, mergeIncidents } from './merge-incidents.js';
export { ReadIncidents, type IncidentView } from './read-incidents.js';
export { Refusals } from './refusals.js';
export { WatchPeers } from './watch-peers.js';
