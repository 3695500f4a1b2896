import type { Database } from '#adapters/postgres';

/** A page of what is kept aside, newest first. */
export interface AsidePage {
  readonly items: readonly Record<string, unknown>[];
  /** Opaque; null at the end. */
  readonly next: string | null;
}

const LETTERS = `SELECT id, writer, stream, partition, number, kafka_offset AS "kafkaOffset", key, version, body, reason, detail, created_at AS "createdAt", replayed_at AS "replayedAt"
                 FROM dead_letter WHERE id < $1 ORDER BY id DESC LIMIT $2`;
const CONFLICTS = `SELECT id, kind, account, writer, body, detail, created_at AS "createdAt" FROM conflict WHERE id < $1 ORDER BY id DESC LIMIT $2`;
const NEWEST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** What could not be applied, whole, and why (design, rule 4). */
export class Aside {
  constructor(private readonly database: Database) {}

  deadLetters(limit: number, after: string | undefined): Promise<AsidePage> {
    return this.page(LETTERS, limit, after);
  }

  conflicts(limit: number, after: string | undefined): Promise<AsidePage> {
    return this.page(CONFLICTS, limit, after);
  }

  private async page(text: string, limit: number, after: string | undefined): Promise<AsidePage> {
    const items = await this.database.query<Record<string, unknown>>(text, [after ?? NEWEST, limit]);
    return { items, next: items.length < limit ? null : (items.at(-1)!['id'] as string) };
  }
}
