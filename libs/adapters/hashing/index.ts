export { type HashOptions, HashQueue } from './hash-queue.js';
export { DUMMY_HASH } from './parameters.js';
