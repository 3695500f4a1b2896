export { limits, assertLimits } from './limits.js';
export { readConfig, ConfigError, type RegionConfig, type PeerConfig } from './config.js';
