export { Peers } from './peers.js';
export { Peer, type Deadline } from './peer.js';
export type { PeerTls } from './peer-agent.js';
export { Breaker } from './breaker.js';
export { forwardWrite } from './forward-write.js';
