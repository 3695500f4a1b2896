import type { Database, Transaction } from '#adapters/postgres';
import type { AnnouncementRow, AnnouncementTexts } from './merge-announcements.js';

export type Act = 'published' | 'withdrawn';

/** Announcements further back than so many are not shown any more. */
const ROWS = 1_000;
const ALL = {
  name: 'announcement-all',
  text: `
  SELECT a.region, a.id, a.incident, a.body AS texts, a.created_at AS "createdAt",
    (SELECT min(at) FROM announcement_act act WHERE act.id = a.id AND act.act = 'published') AS "publishedAt",
    (SELECT min(at) FROM announcement_act act WHERE act.id = a.id AND act.act = 'withdrawn') AS "withdrawnAt"
  FROM (SELECT DISTINCT ON (id) * FROM announcement ORDER BY id, created_at, region) a ORDER BY a.created_at DESC LIMIT ${ROWS}`,
};
const ADD = { name: 'announcement-add', text: 'INSERT INTO announcement (region, id, incident, body, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id' };
const ACT = { name: 'announcement-act', text: 'INSERT INTO announcement_act (region, id, act, at) SELECT $1, unnest($2::uuid[]), $3, $4 ON CONFLICT DO NOTHING' };
/** What this region drafted for incidents of its own that are over. */
const OVER = {
  name: 'announcement-over',
  text: `
  SELECT a.id FROM announcement a JOIN incident i ON i.region = a.region AND i.id = a.incident
  WHERE a.region = $1 AND i.closed_at IS NOT NULL AND NOT EXISTS (SELECT FROM announcement_act act WHERE act.region = $1 AND act.id = a.id AND act.act = 'withdrawn')`,
};

/** The rows of announcements and of what was done to them: each region writes its own, and reads those of all. */
export class AnnouncementRows {
  constructor(
    private readonly own: string,
    private readonly database: Database,
  ) {}

  all(): Promise<AnnouncementRow[]> {
    return this.database.query<AnnouncementRow>(ALL);
  }

  /** Adds one, published at once where `acts` say so. @returns false where this region has added it before */
  add(announcement: { readonly id: string; readonly incident?: string; readonly texts: AnnouncementTexts }, acts: readonly Act[], at: string): Promise<boolean> {
    const { id, incident, texts } = announcement;
    return this.database.transact(async (tx) => {
      const added = await tx.query(ADD, [this.own, id, incident ?? null, JSON.stringify(texts), at]);
      if (added.length === 0) return false;
      for (const act of acts) await this.write(tx, [id], act, at);
      return true;
    });
  }

  async act(ids: readonly string[], act: Act, at: string): Promise<void> {
    await this.database.transact((tx) => this.write(tx, ids, act, at));
  }

  /** Ids of this region's drafts, published or not, whose incident has closed. */
  async over(): Promise<string[]> {
    return (await this.database.query<{ id: string }>(OVER, [this.own])).map(({ id }) => id);
  }

  private async write(tx: Transaction, ids: readonly string[], act: Act, at: string): Promise<void> {
    await tx.query(ACT, [this.own, ids, act, at]);
  }
}
