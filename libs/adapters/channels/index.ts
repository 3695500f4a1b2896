export type { Channel, OutsideMessage, Sending } from './channel.js';
export { SmtpChannel, type SmtpOptions } from './smtp-channel.js';
export { WebhookChannel, type WebhookOptions, signatureOf } from './webhook-channel.js';
