/** What is told, in one or more languages. */
export type AnnouncementTexts = Readonly<Partial<Record<'en' | 'zh', { readonly title: string; readonly body: string }>>>;

/** One announcement, with the first time that any region published or withdrew it. */
export interface AnnouncementRow {
  readonly region: string;
  readonly id: string;
  /** The incident that it was drafted for, as its region named it. */
  readonly incident: string | null;
  readonly texts: AnnouncementTexts;
  readonly createdAt: Date;
  readonly publishedAt: Date | null;
  readonly withdrawnAt: Date | null;
}

export type AnnouncementState = 'draft' | 'published' | 'withdrawn';

/** What is shown as one announcement: what both sides of a cut drafted is told once. */
export interface Announcement {
  readonly shown: AnnouncementRow;
  readonly state: AnnouncementState;
  /** Its own id and those of what it stands for; each of them names it. */
  readonly ids: readonly string[];
  readonly rows: readonly AnnouncementRow[];
}

const RANK: Record<AnnouncementState, number> = { published: 0, draft: 1, withdrawn: 2 };

/**
 * Announcements newest first, those drafted for one incident as one: shown is what is published, else a draft, else what
 * was withdrawn; among equals the smallest id.
 * @param incidentOf the name that all sides of an incident agree on
 */
export function mergeAnnouncements(rows: readonly AnnouncementRow[], incidentOf: (id: string) => string): Announcement[] {
  const groups = Map.groupBy(rows, ({ id, incident }) => (incident === null ? id : incidentOf(incident)));
  const merged = [...groups.values()].map((group) => {
    const inOrder = group.toSorted((a, b) => RANK[stateOf(a)] - RANK[stateOf(b)] || (a.id < b.id ? -1 : 1));
    return { shown: inOrder[0]!, state: stateOf(inOrder[0]!), ids: group.map(({ id }) => id).sort(), rows: group };
  });
  return merged.sort((a, b) => b.shown.createdAt.getTime() - a.shown.createdAt.getTime() || (a.shown.id < b.shown.id ? 1 : -1));
}

/** Withdrawn is final: what is to be said again is another announcement. */
function stateOf({ publishedAt, withdrawnAt }: AnnouncementRow): AnnouncementState {
  if (withdrawnAt !== null) return 'withdrawn';
  return publishedAt === null ? 'draft' : 'published';
}
