import type { TestProject } from 'vitest/node';
import { portBase } from './config.js';
import { type Address, ORIGIN, Runtime } from './deployment.js';

declare module 'vitest' {
  interface ProvidedContext {
    address: Address;
  }
}

/** One deployment of two regions for all specs of the project `regions`; its ports are apart from those of `npm start`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runtime = await Runtime.start({ portBase, env: { HOMEWARD_ATTEMPTS_PER_ADDRESS: '100000', HOMEWARD_ANNOUNCE_AFTER_SECONDS: '3', HOMEWARD_CORS_ORIGINS: ORIGIN } });
  project.provide('address', runtime.address);
  return () => runtime.stop();
}
