import type { Peer } from '#adapters/peer-client';
import type { Schema } from '#adapters/replication';
import type { AskedTable, Mark, MarkedHeads } from './owner-answers.js';
import type { Key, Range, RowCopied, RowSeen, SlotDigest } from './read-rows.js';

/** Longest wait for one page: background work may take longer than a client's read. */
const PAGE_TIMEOUT_MS = 5_000;

/** The owner can't be asked now: nothing is said about the copies of its rows. */
export class OwnerUnavailableError extends Error {
  readonly code = 'owner-unavailable';
  constructor(
    readonly owner: string,
    readonly why: string,
  ) {
    super(`${owner} does not answer the audit: ${why}`);
    this.name = 'OwnerUnavailableError';
  }
}

/**
 * One owner as the auditor asks it, on the peer listener. A failed call ends the comparison with it, so that an audit adds at
 * most one failure to the breaker that clients' reads share.
 */
export class Owner {
  constructor(private readonly peer: Peer) {}

  get name(): string {
    return this.peer.name;
  }

  columns(): Promise<Schema> {
    return this.ask('columns', {});
  }

  digests(asked: AskedTable, range: Range): Promise<{ through: Key | null; slots: SlotDigest[] }> {
    return this.ask('digests', { ...asked, ...range });
  }

  rowsInSlots(asked: AskedTable, range: Range, slots: readonly number[]): Promise<RowSeen[]> {
    return this.ask('slots', { ...asked, ...range, slots });
  }

  rows(asked: AskedTable, keys: readonly Key[]): Promise<RowSeen[]> {
    return this.ask('rows', { ...asked, keys });
  }

  copies(asked: AskedTable, keys: readonly Key[]): Promise<RowCopied[]> {
    return this.ask('copies', { ...asked, keys });
  }

  mark(): Promise<Mark> {
    return this.ask('mark', {});
  }

  async heads(outbox: string): Promise<MarkedHeads> {
    return (await this.ask<{ heads: MarkedHeads }>('heads', { outbox })).heads;
  }

  /** @throws OwnerUnavailableError */
  private async ask<T>(what: string, body: object): Promise<T> {
    const outcome = await this.peer.call<T>('read', `/peer/v1/audit/${what}`, body, PAGE_TIMEOUT_MS);
    if (outcome.kind !== 'answered') throw new OwnerUnavailableError(this.name, outcome.why);
    if (outcome.status !== 200) throw new OwnerUnavailableError(this.name, `it answered ${outcome.status}`);
    return outcome.body;
  }
}
