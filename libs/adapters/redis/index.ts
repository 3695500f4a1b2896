export { RedisStore, type RedisScript } from './redis-store.js';
