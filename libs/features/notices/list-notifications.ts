import type { Database } from '#adapters/postgres';
import type { ConsistencyVersions } from '#kernel/ids';
import { NEWEST, type Page, decodeCursor, pageOf } from '#kernel/pages';
import { type ReadYourWrites, type RowsRead, type VersionedRow, worstOf } from '../consistency/index.js';
import type { ProfileReader } from '../profiles/index.js';
import { noticeLocale, renderNotice } from './render-notice.js';
import type { NoticeText } from './templates.js';

/** A notification as its account sees it. */
export interface NotificationView {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly createdAt: string;
  readonly readAt?: string;
  readonly text: NoticeText;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What one region has marked as read of an account; a fetched one brings its newest marks, which have not arrived here. */
interface MarksOfRegion extends VersionedRow {
  readonly marks?: readonly { readonly id: string; readonly readAt: string }[];
}

interface Row {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly body: Record<string, unknown>;
  readonly created_at: Date;
}

/** The same thing told by two regions is one notification: the earlier row of an id is shown, the others are passed over. */
const PAGE = {
  name: 'notifications-page',
  text: `
  SELECT id, kind, subject, body, created_at FROM notification n
  WHERE account = $1 AND region = ANY ($2) AND (created_at, id) < ($3, $4)
    AND NOT EXISTS (SELECT FROM notification other WHERE other.region = ANY ($2) AND other.id = n.id AND (other.created_at, other.region) < (n.created_at, n.region))
  ORDER BY created_at DESC, id DESC LIMIT $5`,
};
const MARKS = { name: 'notifications-marks', text: 'SELECT id, min(read_at) AS read_at FROM notification_read WHERE region = ANY ($1) AND id = ANY ($2) GROUP BY id' };
const VERSIONS = { name: 'notifications-versions', text: 'SELECT region, max(version) AS version FROM notification_read WHERE account = $1 AND region = ANY ($2) GROUP BY region' };

/** What happened to one account, newest first: the merge of what all regions have told and marked. */
export class ListNotifications {
  constructor(
    private readonly own: { readonly regions: readonly string[]; readonly currency: string },
    private readonly database: Database,
    private readonly profiles: ProfileReader,
    private readonly readYourWrites: ReadYourWrites,
  ) {}

  /** @throws InvalidRequestError for an `after` that no page gave */
  async page(account: string, limit: number, after: string | undefined, token: ConsistencyVersions | undefined): Promise<Page<NotificationView> & { read: RowsRead }> {
    const from = after === undefined ? NEWEST : decodeCursor(after);
    const [profile, marked] = await Promise.all([this.profiles.read(account, token), this.marked(account, token)]);
    const rows = await this.database.query<Row>(PAGE, [account, this.own.regions, from.at, from.id, limit + 1]);
    const readAt = await this.readTimes(rows, marked.rows);
    const locale = noticeLocale(profile.view.fields.locale);
    const items = rows.map(({ id, kind, subject, body, created_at: createdAt }) => ({
      id, kind, subject, createdAt: createdAt.toISOString(), ...(readAt.has(id) ? { readAt: readAt.get(id)! } : {}),
      text: renderNotice(kind, body, locale, this.own.currency), data: body,
    }));
    return { ...pageOf(items, limit, ({ createdAt }) => createdAt), read: worstOf([profile.read, marked.read]) };
  }

  /** Only a token that names marks has to be compared with what has arrived. */
  private async marked(account: string, token: ConsistencyVersions | undefined): Promise<{ rows: MarksOfRegion[]; read: RowsRead }> {
    if (token?.account !== account || token.versions.notices === undefined) return { rows: [], read: 'local' };
    const versions = async (): Promise<MarksOfRegion[]> => {
      const rows = await this.database.query<{ region: string; version: string }>(VERSIONS, [account, this.own.regions]);
      return rows.map(({ region, version }) => ({ region, version: Number(version) }));
    };
    return this.readYourWrites.rows('notices', token, account, versions, '/peer/v1/rows/notices', { account });
  }

  private async readTimes(rows: readonly Row[], fetched: readonly MarksOfRegion[]): Promise<ReadonlyMap<string, string>> {
    if (rows.length === 0) return new Map();
    const known = await this.database.query<{ id: string; read_at: Date }>(MARKS, [this.own.regions, rows.map(({ id }) => id)]);
    const times = new Map(fetched.flatMap(({ marks }) => marks ?? []).map(({ id, readAt }) => [id, readAt]));
    for (const { id, read_at: at } of known) times.set(id, at.toISOString());
    return times;
  }
}
