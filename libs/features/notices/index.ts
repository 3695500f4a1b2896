export { Deliver } from './deliver.js';
export { type ChannelCounts, type DeadDelivery, DeliveryQueue } from './delivery-queue.js';
export { ListNotifications, type NotificationView } from './list-notifications.js';
export { MarkRead, type Marked } from './mark-read.js';
export { type Notice, type NoticeKind, notificationId, notificationRows, writeNotifications } from './notification-rows.js';
export { noticeLocale, renderNotice } from './render-notice.js';
