import type { Clock } from '#kernel/clock';
import { hashedId, newId } from '#kernel/ids';
import { type Page, decodeCursor, pageOf } from '#kernel/pages';
import { NotFoundError } from '#kernel/problems';
import { type IncidentRows, findIncident } from '../incidents/index.js';
import type { AnnouncementRows } from './announcement-rows.js';
import { type Announcement, type AnnouncementTexts, mergeAnnouncements } from './merge-announcements.js';

/** An announcement as operators see it. */
export interface AnnouncementView {
  readonly id: string;
  readonly ids: readonly string[];
  readonly state: string;
  readonly incident?: string;
  readonly texts: AnnouncementTexts;
  readonly createdAt: string;
  readonly publishedAt?: string;
  readonly withdrawnAt?: string;
}

/** An announcement as everybody sees it. */
export interface PublishedView {
  readonly id: string;
  readonly publishedAt: string;
  readonly texts: AnnouncementTexts;
}

/** How old the answer to everybody may be: it needs no session, and must not be a way to keep the database busy. */
const KEPT_MS = 1_000;

/** What operators tell everybody: written in any region, seen in all. */
export class Announce {
  private kept: { readonly untilMonoMs: number; readonly answer: Promise<Announcement[]> } | undefined;

  constructor(
    private readonly rows: AnnouncementRows,
    private readonly incidents: IncidentRows,
    private readonly clock: Clock,
  ) {}

  /** What is published now, newest first. @throws InvalidRequestError for an `after` that no page gave; DatabaseUnavailableError */
  async published(limit: number, after: string | undefined): Promise<Page<PublishedView>> {
    const from = after === undefined ? undefined : decodeCursor(after);
    const published = (await this.keptOrRead()).filter(({ state }) => state === 'published');
    const views = published.map(({ shown }) => ({ id: shown.id, publishedAt: shown.publishedAt!.toISOString(), texts: shown.texts })).sort(newestFirst);
    const rest = from === undefined ? views : views.filter((view) => newestFirst({ id: from.id, publishedAt: from.at }, view) < 0);
    return pageOf(rest, limit, ({ publishedAt }) => publishedAt);
  }

  /** All of them, newest first. @param after an id of the last one seen */
  async page(limit: number, after: string | undefined): Promise<{ items: AnnouncementView[]; next: string | null }> {
    const all = await this.read();
    const from = after === undefined ? 0 : all.findIndex(({ ids }) => ids.includes(after)) + 1;
    const shown = all.slice(from, from + limit);
    return { items: shown.map(viewOf), next: from + limit < all.length ? shown.at(-1)!.shown.id : null };
  }

  /** Publishes something new. @param key the same key names the same announcement, in every region */
  async publishNew(texts: AnnouncementTexts, key: string | undefined): Promise<AnnouncementView> {
    const id = key === undefined ? newId() : hashedId('announcement', 'key', key);
    await this.rows.add({ id, texts }, ['published'], this.now());
    return viewOf(await this.changed(id));
  }

  /** Publishes a draft; what is published already stays so. @throws NotFoundError also for one that was withdrawn */
  async publish(id: string): Promise<AnnouncementView> {
    const announcement = await this.find(id);
    if (announcement.state === 'withdrawn') throw new NotFoundError('This announcement was withdrawn');
    await this.rows.act([announcement.shown.id], 'published', this.now());
    return viewOf(await this.changed(id));
  }

  /** Withdraws it, with what it stands for; a draft is then never shown. @throws NotFoundError */
  async withdraw(id: string): Promise<void> {
    const { ids } = await this.find(id);
    await this.rows.act(ids, 'withdrawn', this.now());
    this.kept = undefined;
  }

  private async changed(id: string): Promise<Announcement> {
    this.kept = undefined;
    return this.find(id);
  }

  private async find(id: string): Promise<Announcement> {
    const announcement = (await this.read()).find(({ ids }) => ids.includes(id));
    if (announcement === undefined) throw new NotFoundError('No announcement with this id is known here');
    return announcement;
  }

  private keptOrRead(): Promise<Announcement[]> {
    const nowMonoMs = this.clock.monoMs();
    if (this.kept !== undefined && this.kept.untilMonoMs > nowMonoMs) return this.kept.answer;
    const answer = this.read();
    this.kept = { untilMonoMs: nowMonoMs + KEPT_MS, answer };
    return answer;
  }

  private async read(): Promise<Announcement[]> {
    const [rows, incidents] = await Promise.all([this.rows.all(), this.incidents.merged()]);
    return mergeAnnouncements(rows, (incident) => findIncident(incidents, incident)?.id ?? incident);
  }

  private now(): string {
    return new Date(this.clock.wallMs()).toISOString();
  }
}

/** A draft may be published long after it was made. */
function newestFirst(a: Omit<PublishedView, 'texts'>, b: Omit<PublishedView, 'texts'>): number {
  if (a.publishedAt !== b.publishedAt) return a.publishedAt < b.publishedAt ? 1 : -1;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}

function viewOf({ shown, ids, state }: Announcement): AnnouncementView {
  const { id, incident, texts, createdAt, publishedAt, withdrawnAt } = shown;
  return {
    id, ids, state, ...(incident === null ? {} : { incident }), texts, createdAt: createdAt.toISOString(),
    ...(publishedAt === null ? {} : { publishedAt: publishedAt.toISOString() }),
    ...(withdrawnAt === null ? {} : { withdrawnAt: withdrawnAt.toISOString() }),
  };
}
