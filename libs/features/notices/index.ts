export { Deliver } from './deliver.js';
export { DeliveryQueue } from './delivery-queue.js';
export { ListNotifications } from './list-notifications.js';
export { MarkRead, type Marked } from './mark-read.js';
export { type Notice, notificationId, notificationRows, writeNotifications } from './notification-rows.js';
export { noticeLocale, renderNotice } from './render-notice.js';
