export { PeerEvents } from './peer-events.js';
export { StatePages, type StatePage } from './state-pages.js';
