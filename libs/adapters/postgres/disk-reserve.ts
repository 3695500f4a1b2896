import { statfs } from 'node:fs/promises';
import type { Logger } from 'pino';
import { DatabaseFullError } from './errors.js';

/** How PostgreSQL's disk is measured (docs/decisions/0012); neither given: its room is unknown, and nothing is refused. */
export interface DiskOptions {
  /** A directory on PostgreSQL's disk, where it is mounted here too. */
  readonly directory?: string | undefined;
  /** The disk's size, where PostgreSQL is elsewhere: what it uses is then asked of PostgreSQL itself. */
  readonly capacityBytes?: number | undefined;
  /** In place of the usual reserve. */
  readonly reserveBytes?: number | undefined;
}

/** What was seen of PostgreSQL's disk; null: not known. */
export interface DiskStatus {
  readonly capacityBytes: number | null;
  readonly freeBytes: number | null;
  readonly reserveBytes: number | null;
  /** Clients' writes are refused, since less than the reserve is free. */
  readonly refusing: boolean;
}

interface Room {
  readonly capacityBytes: number;
  readonly freeBytes: number;
}

type Ask = <R>(text: string) => Promise<R[]>;

/** Often enough that writes of 100 MB a second don't eat half of the least reserve between two looks. */
const LOOK_EVERY_MS = 2_000;
const RESERVED_SHARE = 0.1;
/** More than twice what slots may keep (`max_slot_wal_keep_size`) in the local runtime: what arrives from peers goes on being stored. */
const LEAST_RESERVE_BYTES = 512 * 1_024 * 1_024;
const UNKNOWN: DiskStatus = { capacityBytes: null, freeBytes: null, reserveBytes: null, refusing: false };
/** Every database of the server lies on that disk, and so does its WAL. */
const USED = `SELECT ((SELECT sum(pg_database_size(oid)) FROM pg_database WHERE datallowconn) + (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()))::float8 AS bytes`;

/** How much of a disk of this size is kept from clients' writes (faults, 23). */
export function reserveOf(capacityBytes: number, givenBytes?: number): number {
  return givenBytes ?? Math.max(LEAST_RESERVE_BYTES, Math.ceil(capacityBytes * RESERVED_SHARE));
}

/** What is told of a disk, and whether clients' writes are refused. Pure. */
export function diskStatus({ capacityBytes, freeBytes }: Room, givenReserveBytes?: number): DiskStatus {
  const reserveBytes = reserveOf(capacityBytes, givenReserveBytes);
  return { capacityBytes, freeBytes, reserveBytes, refusing: freeBytes < reserveBytes };
}

/**
 * Keeps the last of PostgreSQL's disk for what must not be refused: rows and events of peers, sign-outs, heartbeats, and
 * PostgreSQL's own need to start again. A use case of clients that writes asks `mustHaveRoom` before it begins
 * (test/faults/disk.spec.ts asks all of them).
 */
export class DiskReserve {
  readonly id = 'disk-reserve';
  private seen = UNKNOWN;
  /** The last look failed, and that was logged. */
  private blind = false;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly options: DiskOptions,
    private readonly ask: Ask,
    private readonly logger: Logger,
  ) {}

  run(): void {
    if (this.options.directory === undefined && this.options.capacityBytes === undefined) {
      this.logger.warn('neither HOMEWARD_DATABASE_DIRECTORY nor HOMEWARD_DATABASE_CAPACITY_BYTES is given: no reserve of the disk is kept');
      return;
    }
    const look = (): void => void (this.looking ??= this.look().finally(() => (this.looking = undefined)));
    look();
    this.timer = setInterval(look, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  get status(): DiskStatus {
    return this.seen;
  }

  /** To be asked before anything of a client's write is done, and after a repetition has got its first answer. @throws DatabaseFullError */
  mustHaveRoom(): void {
    if (this.seen.refusing) throw new DatabaseFullError();
  }

  private async look(): Promise<void> {
    const before = this.seen;
    try {
      this.seen = diskStatus(await this.measure(), this.options.reserveBytes);
      this.blind = false;
    } catch (error) {
      // What isn't known refuses nothing: a wrong setting must not stop a region whose disk is empty.
      this.seen = UNKNOWN;
      if (!this.blind) this.logger.warn({ err: error }, "the room on the database's disk can not be told");
      this.blind = true;
    }
    if (this.seen.refusing === before.refusing) return;
    const { freeBytes, reserveBytes } = this.seen;
    if (this.seen.refusing) this.logger.error({ freeBytes, reserveBytes }, "the database's disk is nearly full: clients' writes are refused");
    else this.logger.warn({ freeBytes, reserveBytes }, "clients' writes are taken again");
  }

  private async measure(): Promise<Room> {
    const { directory, capacityBytes } = this.options;
    if (directory !== undefined) {
      const { blocks, bavail, bsize } = await statfs(directory);
      return { capacityBytes: capacityBytes ?? blocks * bsize, freeBytes: bavail * bsize };
    }
    const [used] = await this.ask<{ bytes: number }>(USED);
    return { capacityBytes: capacityBytes!, freeBytes: capacityBytes! - used!.bytes };
  }
}
