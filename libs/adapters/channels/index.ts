export type { Channel, OutsideMessage, Sending } from './channel.js';
export { SmtpChannel } from './smtp-channel.js';
export { WebhookChannel } from './webhook-channel.js';
