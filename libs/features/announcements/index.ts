export { Announce } from './announce.js';
export { AnnounceIncidents } from './announce-incidents.js';
export { AnnouncementRows } from './announcement-rows.js';
export { type AnnouncementRow, mergeAnnouncements } from './merge-announcements.js';
