import type { EventSource } from '#adapters/kafka';
import type { Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import { limits } from '#kernel/config';
import type { Logger } from '#kernel/telemetry';
import type { OrderEvent, StreamName } from '#kernel/wire';
import { type Account, isConsistent, keepAccounts } from '../accounts/index.js';
import type { OrderEffect } from '../orders/index.js';
import { type Epoch, raiseEpochs } from '../passwords/index.js';
import type { StatePage } from './state-pages.js';

type OutboxPage = Awaited<ReturnType<EventSource['pull']>>;

/** The lowest id there is. */
const FIRST = '00000000-0000-0000-0000-000000000000';
/** Longest wait for a page: a background call may take longer than a client's. */
const PAGE_TIMEOUT_MS = 5_000;

/** What is asked of a peer where Kafka did not bring it: events by number, or the state that they led to. */
export class PeerEvents implements EventSource {
  constructor(
    private readonly peers: Peers,
    private readonly database: Database,
    private readonly orders: Pick<OrderEffect, 'carryOut' | 'applied'>,
    private readonly raised: () => void,
    private readonly logger: Logger,
  ) {}

  pull(peer: string, stream: StreamName, partition: number, fromNumber: number, limit: number): Promise<OutboxPage> {
    return this.ask<OutboxPage>(peer, '/peer/v1/events', { stream, partition, fromNumber, limit });
  }

  async resync(peer: string, stream: StreamName): Promise<void> {
    this.logger.warn({ peer, stream }, 'events are gone at their writer: copying the state that they led to');
    if (stream === 'orders') return this.copyOrders(peer);
    if (stream === 'accounts') await this.copy<Account>(peer, '/peer/v1/state/accounts', (items) => this.keepAll(peer, items));
    else await this.copy<Epoch>(peer, '/peer/v1/state/epochs', (items) => this.database.transact((tx) => raiseEpochs(tx, items), limits.databaseBatchMs));
    this.raised();
  }

  private async copyOrders(peer: string): Promise<void> {
    await this.copy<OrderEvent>(peer, '/peer/v1/state/orders', (items) => this.database.transact((tx) => this.orders.carryOut(tx, peer, items), limits.databaseBatchMs));
    this.orders.applied();
  }

  private async copy<T>(peer: string, path: string, keep: (items: readonly T[]) => Promise<void>): Promise<void> {
    for (let after: string | null = FIRST; after !== null; ) {
      const page: StatePage<T> = await this.ask<StatePage<T>>(peer, path, { after });
      if (page.items.length > 0) await keep(page.items);
      after = page.next;
    }
  }

  private async keepAll(peer: string, accounts: readonly Account[]): Promise<void> {
    const foreign = accounts.find((account) => !isConsistent(account, peer));
    if (foreign !== undefined) throw new Error(`${peer} sent an account whose home is ${foreign.home}`);
    await this.database.transact((tx) => keepAccounts(tx, peer, accounts), limits.databaseBatchMs);
  }

  private async ask<T>(peer: string, path: string, body: object): Promise<T> {
    const outcome = await this.peers.find(peer)?.call<T>('read', path, body, PAGE_TIMEOUT_MS);
    if (outcome?.kind === 'answered' && outcome.status === 200) return outcome.body;
    throw new Error(`${peer} did not answer ${path}: ${outcome?.kind ?? 'unknown peer'}`);
  }
}
