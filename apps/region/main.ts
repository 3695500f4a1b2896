import 'reflect-metadata';
import { ConfigError, assertLimits, readConfig } from '#kernel/config';
import { createLogger } from '#kernel/telemetry';
import { Process } from './src/process.js';

assertLimits();
try {
  const config = readConfig();
  const service = new Process(config, createLogger({ region: config.region, level: config.logLevel }));
  service.followSignals();
  await service.start();
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
}
