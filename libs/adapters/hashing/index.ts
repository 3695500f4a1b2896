export { HashQueue } from './hash-queue.js';
