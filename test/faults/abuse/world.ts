import type { World } from '../../regions/harness/index.js';

let running: World | undefined;

/** The deployment that the files of this folder share; test/faults/abuse.spec.ts starts and stops it. */
export function world(): World {
  return running!;
}

export function useWorld(started: World): void {
  running = started;
}
