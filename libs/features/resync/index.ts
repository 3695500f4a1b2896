export { PeerEvents } from './peer-events.js';
export { StatePages } from './state-pages.js';
