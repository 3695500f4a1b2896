import { KNOWN_EVERYWHERE_MS } from './bounds.js';
import type { Operation } from './history.js';
import { Timeline, linkBetween, partsOf } from './timeline.js';

/** When something was written, as far as the history knows: its start and, where it ended well, its end. */
interface Write {
  readonly startMs: number;
  readonly endMs: number;
}

/** When what a user signs in with was written. */
export type CredentialWrites = ReadonlyMap<string, readonly Write[]>;

/**
 * The parts without which an operation may be refused or slow (contract, "What works when"). Kafka is never among them:
 * nobody waits for it.
 * @param writtenIn where its client wrote what may not have come here yet: what its consistency token names is asked for there
 */
export function partsNeeded(operation: Operation, writes: CredentialWrites, timeline: Timeline, writtenIn: readonly string[] = []): string[] {
  const { region, home } = operation;
  const own = [`${region}/api`, `${region}/postgres`];
  const withSession = [...own, `${region}/redis`];
  const at = (other: string): string[] => (other === region ? [] : [linkBetween(region, other), ...storesOf(other)]);
  switch (operation.kind) {
    case 'register': return [...own, ...at(home)];
    case 'sign-in': return [...withSession, ...(isKnownElsewhere(operation, writes, timeline) ? [] : at(home))];
    case 'try-old-password': return [...withSession, ...at(home)];
    case 'sign-out':
    case 'sign-out-all': return own;
    case 'change-password': return [...withSession, ...at(home), ...at(operation.origin), ...writtenIn.flatMap(at)];
    // Without the home an order waits, and a balance is the replicated one: both are answered.
    case 'transfer':
    case 'read-wallet':
    case 'check':
    case 'read-profile':
    case 'edit-profile':
    case 'try-ended-session': return [...withSession, ...at(operation.origin), ...writtenIn.flatMap(at)];
  }
}

/** What another region asks a region for: its service and what that reads. */
function storesOf(region: string): string[] {
  return partsOf(region).filter((part) => !part.endsWith('/kafka'));
}

/** Whether the account and its password were in every region before anything came between it and its home. */
function isKnownElsewhere({ region, home, user, startMs, endMs }: Operation<'sign-in'>, writes: CredentialWrites, timeline: Timeline): boolean {
  if (region === home) return true;
  return (writes.get(user) ?? []).filter((write) => write.startMs < endMs).every((write) => isCarried(write, [home, region], startMs, timeline));
}

/** Whether what was written in the first region had time to come to the second before `atMs`, and nothing stood between them. */
export function isCarried(write: Write, [from, to]: readonly [string, string], atMs: number, timeline: Timeline): boolean {
  // Replication and Kafka both carry what is written.
  const channels = [linkBetween(from, to), ...partsOf(from), ...partsOf(to)];
  const writtenMs = Math.min(write.endMs, atMs);
  return atMs - write.startMs > KNOWN_EVERYWHERE_MS && timeline.of(channels, writtenMs - KNOWN_EVERYWHERE_MS, writtenMs + KNOWN_EVERYWHERE_MS).length === 0;
}
