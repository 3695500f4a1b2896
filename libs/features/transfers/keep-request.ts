import { type Database, readParts, writeParts } from '#adapters/postgres';
import { IdempotencyKeyReusedError } from '#kernel/problems';
import { partitionOf } from '#kernel/routing';
import { type OrderEvent, PARTITIONS, type TransferOrder, WIRE_VERSION } from '#kernel/wire';
import { orderEvents } from '../wallets/index.js';
import { factsFrom, factsParts } from './transfer-rows.js';
import type { TransferFacts } from './transfer-view.js';

/** What is known of an order here, in a region that is not its payer's home. */
export interface Awaiting {
  readonly facts: TransferFacts;
  /** Whether an earlier request of the payer waits here for its decision: then this order waits behind it. */
  readonly isQueueing: boolean;
}

const OTHER = 'SELECT to_jsonb(id) FROM transfer_request WHERE region = $1 AND payer = $2 AND key = $3 AND id <> $4 LIMIT 1';
const WAITING = 'SELECT to_jsonb(EXISTS (SELECT FROM transfer_waiting WHERE payer = $1))';
/** Requests of one payer are taken one after the other, so that their numbers have the order of their answers. */
const IN_TURN = { name: 'request-in-turn', text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 5))' };
const KEEP = {
  name: 'keep-request',
  text: `
  WITH other AS (SELECT id FROM transfer_request WHERE region = $1 AND payer = $4 AND key = $9 AND id <> $3 LIMIT 1),
  kept AS (
    INSERT INTO transfer_request (region, slot, id, payer, payee, payee_home, amount, memo, key, home, session, epoch, requested_at, version)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, next_version((SELECT max(version) FROM transfer_request WHERE region = $1 AND payer = $4))
    WHERE NOT EXISTS (SELECT FROM other) ON CONFLICT DO NOTHING RETURNING id, payer, requested_at, version),
  event AS (INSERT INTO outbox (stream, partition, version, key, payload) SELECT 'orders', $14, $15, payer, $16::jsonb FROM kept),
  waiting AS (
    INSERT INTO transfer_waiting (id, payer, requested_at)
    SELECT id, payer, requested_at FROM kept WHERE NOT EXISTS (SELECT FROM transfer_decision d WHERE d.id = kept.id) ON CONFLICT DO NOTHING)
  SELECT (SELECT version::float8 FROM kept) AS version, EXISTS (SELECT FROM other) AS reused`,
};
const VERSION = { name: 'request-version', text: 'SELECT version::float8 AS version FROM transfer_request WHERE region = $1 AND id = $2' };

/** Transfer requests: the region that took an order keeps it, durably and in its payer's order, until the home has decided it. */
export class KeepRequest {
  constructor(
    private readonly own: { region: string; regions: readonly string[] },
    private readonly database: Database,
    private readonly committed: (partition: number) => void,
  ) {}

  /** @throws IdempotencyKeyReusedError where this region keeps another request under the payer's key */
  async look({ id, payer, key }: TransferOrder): Promise<Awaiting> {
    const { region, regions } = this.own;
    const [other, isQueueing, ...facts] = await readParts(this.database, [
      { name: 'other', text: OTHER, values: [region, payer, Buffer.from(key, 'base64url'), id] }, { name: 'waiting', text: WAITING, values: [payer] }, ...factsParts(regions, [id]),
    ]);
    if (other !== null) throw new IdempotencyKeyReusedError();
    return { facts: factsFrom(facts, [id])[0]!, isQueueing: isQueueing as boolean };
  }

  /**
   * Keeps the order and sends it to the payer's home, once however often it is given.
   * @returns the version of its row, for consistency tokens
   * @throws IdempotencyKeyReusedError, DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async keep(order: TransferOrder, home: string, slot: number): Promise<number> {
    const { region } = this.own;
    const partition = partitionOf(order.payer, PARTITIONS);
    const event: OrderEvent = { kind: 'request', to: home, ...order };
    const version = await this.database.transact(async (tx) => {
      await tx.query(IN_TURN, [order.payer]);
      const [row] = await tx.query<{ version: number | null; reused: boolean }>(KEEP, [
        region, slot, order.id, order.payer, order.payee, order.payeeHome, order.amount, order.memo ?? null, Buffer.from(order.key, 'base64url'), home,
        Buffer.from(order.session, 'base64url'), order.epoch, order.requestedAt, partition, WIRE_VERSION, JSON.stringify(event),
      ]);
      if (row!.reused) throw new IdempotencyKeyReusedError();
      // A repetition of what is kept already is answered as ever.
      if (row!.version !== null) this.database.reserve.mustHaveRoom();
      return row!.version ?? (await tx.query<{ version: number }>(VERSION, [region, order.id]))[0]!.version;
    });
    this.committed(partition);
    return version;
  }

  /** Asks the home, whenever it can be asked, to decide that the transfer doesn't happen. */
  async sendCancel(order: TransferOrder, home: string): Promise<void> {
    this.database.reserve.mustHaveRoom();
    await writeParts({ query: (statement, values) => this.database.write(statement, values) }, orderEvents([{ kind: 'cancel', to: home, ...order }]));
    this.committed(partitionOf(order.payer, PARTITIONS));
  }
}
