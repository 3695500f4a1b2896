export { HashQueue, type HashOptions } from './hash-queue.js';
