export { Beat } from './beat.js';
export { Channels } from './channels.js';
export { ReplicatedBeats } from './replicated-beats.js';
