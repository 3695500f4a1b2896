export { type Notice, type NoticeKind, notificationId, notificationRows, writeNotifications } from './notification-rows.js';
