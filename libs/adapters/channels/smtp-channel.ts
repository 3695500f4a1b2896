import { createTransport } from 'nodemailer';
import { isLoopback } from '#kernel/config';
import type { Channel, OutsideMessage, Sending } from './channel.js';

export interface SmtpOptions {
  /** `smtp://` or `smtps://`, with user and password where the server asks for them. */
  readonly url: string;
  /** The sender, as in a From header. */
  readonly from: string;
}

/** E-mail through one SMTP server, which takes it over: what bounces later is the server's matter. */
export class SmtpChannel implements Channel {
  readonly name = 'smtp';
  private readonly transport: ReturnType<typeof transportOf>;
  private readonly domain: string;

  constructor(private readonly options: SmtpOptions) {
    this.transport = transportOf(options.url);
    this.domain = /@([^\s>]+)>?\s*$/.exec(options.from)?.[1] ?? 'localhost';
  }

  reaches(identifier: string): boolean {
    return identifier.includes('@');
  }

  async send({ id, identifier, locale, title, body, createdAt }: OutsideMessage, limitMs: number): Promise<Sending> {
    try {
      await this.transport.sendMail({
        from: this.options.from,
        // An object is taken as it is; a text would be parsed, and an address may hold what a parser reads as two.
        to: { name: '', address: identifier },
        subject: title,
        text: `${body}\n`,
        messageId: `<${id}@${this.domain}>`,
        date: new Date(createdAt),
        headers: { 'Auto-Submitted': 'auto-generated', 'Content-Language': locale },
        signal: AbortSignal.timeout(limitMs),
      });
      return { outcome: 'acknowledged' };
    } catch (error) {
      return whatFailed(error);
    }
  }
}

/** Nothing is sent in the clear but to this machine itself; contents come from us alone, so none may name a file or an address. */
function transportOf(url: string) {
  return createTransport({ url, requireTLS: !isLoopback(new URL(url).hostname), disableFileAccess: true, disableUrlAccess: true });
}

/**
 * By codes alone, since a server's text may repeat the address. Only a recipient that is refused for good is a failure of
 * this message; a sender or a login that is refused waits for somebody to put it right.
 */
function whatFailed(error: unknown): Sending {
  const { code, responseCode, permanent, command } = error as { code?: string; responseCode?: number; permanent?: boolean; command?: string };
  if (responseCode === undefined) return { outcome: 'unknown', why: `SMTP ${code ?? 'failed'}` };
  return { outcome: 'refused', why: `SMTP ${responseCode} to ${command ?? 'the message'}`, forGood: permanent === true && command === 'RCPT TO' };
}
