import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { PARAMETERS } from './parameters.js';
import type { HashJobMessage, HashReplyMessage } from './protocol.js';

/** The lowest priority: hashing takes what session checks leave (hot-paths). */
const LOWEST = 19;

/** On Linux each thread has a priority of its own, and those of the pool may have been made while modules loaded. */
function stepBack(): void {
  setPriority(LOWEST);
  try {
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), LOWEST);
  } catch {
    // Not Linux: there the priority is the process's.
  }
}

async function work(job: HashJobMessage): Promise<void> {
  const reply = await answer(job);
  if (process.connected) process.send!(reply);
}

async function answer({ id, password, against }: HashJobMessage): Promise<HashReplyMessage> {
  try {
    return against === undefined ? { id, hash: await hash(password, PARAMETERS) } : { id, matches: await verify(against, password) };
  } catch (error) {
    return { id, failed: error instanceof Error ? error.message : 'unknown' };
  }
}

stepBack();
// A signal to the whole process group is the parent's to handle: this process ends with its channel.
process.on('SIGTERM', () => undefined);
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.on('message', (job: HashJobMessage) => void work(job));
