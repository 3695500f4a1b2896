import { createHmac } from 'node:crypto';
import type { Channel, OutsideMessage, Sending } from './channel.js';

export interface WebhookOptions {
  readonly url: string;
  /** `whsec_` and base64, as Standard Webhooks writes it. */
  readonly secret: string;
}

/** So much of an answer is read, that its connection may be used again; a longer one is cut off. */
const ANSWER_BYTES = 16 * 1_024;

/**
 * A POST to one address, signed as Standard Webhooks says: `webhook-id` (the same at each repetition), `webhook-timestamp`,
 * and `webhook-signature`, HMAC-SHA256 of `<id>.<timestamp>.<body>`. Any 2xx acknowledges.
 */
export class WebhookChannel implements Channel {
  readonly name = 'webhook';
  private readonly key: Buffer;

  constructor(private readonly options: WebhookOptions) {
    this.key = Buffer.from(options.secret.slice('whsec_'.length), 'base64');
  }

  reaches(): boolean {
    return true;
  }

  async send(message: OutsideMessage, limitMs: number): Promise<Sending> {
    const { id, kind, account, identifier, locale, title, body, createdAt, data } = message;
    const content = JSON.stringify({ id, kind, account, identifier, locale, title, body, createdAt, data });
    const timestamp = Math.floor(Date.now() / 1_000);
    const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signatureOf(this.key, id, timestamp, content) };
    try {
      // A redirect is no acknowledgement and is not followed: the address is the operator's to choose.
      const answer = await fetch(this.options.url, { method: 'POST', headers, body: content, redirect: 'manual', signal: AbortSignal.timeout(limitMs) });
      await discard(answer.body);
      return answer.ok ? { outcome: 'acknowledged' } : { outcome: 'refused', why: `HTTP ${answer.status}`, forGood: false };
    } catch (error) {
      return { outcome: 'unknown', why: `HTTP ${reasonOf(error)}` };
    }
  }
}

/** What a receiver computes again and compares. */
function signatureOf(key: Buffer, id: string, timestamp: number, content: string): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${content}`).digest('base64')}`;
}

/** Its status has said all; what fails from here on is no failure of the sending. */
async function discard(body: ReadableStream<Uint8Array> | null): Promise<void> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  try {
    for (let read = 0; read <= ANSWER_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) return;
      read += value.length;
    }
    await reader.cancel();
  } catch {
    // Cut off by the receiver, or by the deadline.
  }
}

/** fetch wraps what went wrong; its code says enough, and no text of the receiver is kept. */
function reasonOf(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  return cause?.code ?? name ?? 'failed';
}
