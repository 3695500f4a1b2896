import { describe, expect, it } from 'vitest';
import { type AnnouncementRow, mergeAnnouncements } from '#features/announcements';

const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1) + second * 1_000);
const row = (id: string, more: Partial<AnnouncementRow> = {}): AnnouncementRow =>
  ({ region: 'east', id, incident: null, texts: {}, createdAt: at(0), publishedAt: null, withdrawnAt: null, ...more });
/** Both sides' incidents are known as one, `merged`. */
const incidentOf = (): string => 'merged';

describe('announcements', () => {
  it('that both sides of a cut drafted are one, the smallest id of them, named by both', () => {
    const merged = mergeAnnouncements([row('b', { incident: 'w', region: 'west' }), row('a', { incident: 'e' })], incidentOf);
    expect(merged).toMatchObject([{ shown: { id: 'a' }, state: 'draft', ids: ['a', 'b'] }]);
  });

  it('that one side published are published, also where the other side threw its draft away', () => {
    const published = row('b', { incident: 'w', region: 'west', publishedAt: at(5) });
    expect(mergeAnnouncements([row('a', { incident: 'e' }), published], incidentOf)).toMatchObject([{ shown: { id: 'b' }, state: 'published' }]);
    expect(mergeAnnouncements([row('a', { incident: 'e', withdrawnAt: at(4) }), published], incidentOf)).toMatchObject([{ shown: { id: 'b' }, state: 'published' }]);
  });

  it('that were withdrawn stay so, whatever was published before or after', () => {
    expect(mergeAnnouncements([row('a', { publishedAt: at(9), withdrawnAt: at(5) })], incidentOf)).toMatchObject([{ state: 'withdrawn' }]);
  });

  it('of no incident are each for itself, newest first', () => {
    expect(mergeAnnouncements([row('a', { createdAt: at(1) }), row('b', { createdAt: at(2) })], incidentOf).map(({ shown }) => shown.id)).toEqual(['b', 'a']);
  });
});
