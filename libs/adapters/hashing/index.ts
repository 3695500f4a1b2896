export { DUMMY_HASH } from './parameters.js';
export { HashQueue, type HashOptions } from './hash-queue.js';
