import type { Database } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { NotFoundError } from '#kernel/problems';

/** A notification after it was marked. */
export interface Marked {
  readonly id: string;
  readonly readAt: string;
  /** Of this region's marks of that account. */
  readonly version: number;
}

const FIND = {
  name: 'notification-find',
  text: 'SELECT slot FROM notification WHERE region = ANY ($1) AND id = $2 AND account = $3 LIMIT 1',
};
/** One after the other for each account, so that a version stands for every mark before it. */
const LOCK = { name: 'notification-read-lock', text: `SELECT pg_advisory_xact_lock(hashtextextended('notification-read:' || $1, 0))` };
const MARK = {
  name: 'notification-read',
  text: `
  INSERT INTO notification_read (region, slot, id, account, read_at, version)
  SELECT $1, $2, $3, $4, $5, next_version(max(version)) FROM notification_read WHERE region = $1 AND account = $4
  ON CONFLICT DO NOTHING RETURNING id`,
};
const MARKED = {
  name: 'notification-read-at',
  text: `SELECT min(read_at) AS read_at, (SELECT max(version) FROM notification_read WHERE region = $1 AND account = $4) AS version
         FROM notification_read WHERE region = ANY ($2) AND id = $3`,
};

/** Marks a notification as read, in any region: a row of that region; the earliest mark of all regions counts. */
export class MarkRead {
  constructor(
    private readonly own: { readonly region: string; readonly regions: readonly string[] },
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** @throws NotFoundError where it is not known here or somebody else's; DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError */
  mark(account: string, id: string): Promise<Marked> {
    const { region, regions } = this.own;
    return this.database.transact(async (tx) => {
      const [known] = await tx.query<{ slot: number }>(FIND, [regions, id, account]);
      if (known === undefined) throw new NotFoundError();
      await tx.query(LOCK, [account]);
      const marked = await tx.query(MARK, [region, known.slot, id, account, new Date(this.clock.wallMs()).toISOString()]);
      // A repetition of what is marked already is answered as ever.
      if (marked.length > 0) this.database.reserve.mustHaveRoom();
      const [row] = await tx.query<{ read_at: Date; version: string }>(MARKED, [region, regions, id, account]);
      return { id, readAt: row!.read_at.toISOString(), version: Number(row!.version) };
    });
  }
}
