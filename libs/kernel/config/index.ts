export { limits, assertLimits } from './limits.js';
export { isLoopback } from './loopback.js';
export { readConfig, readMacKeys, ConfigError, type RegionConfig } from './config.js';
