export { Announce, type AnnouncementView } from './announce.js';
export { AnnounceIncidents } from './announce-incidents.js';
export { AnnouncementRows } from './announcement-rows.js';
export { type AnnouncementRow, type AnnouncementTexts, mergeAnnouncements } from './merge-announcements.js';
