import { createServer } from 'node:https';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { ensureCertificates } from '../../../apps/local/certificates.js';

/** What a receiver does with what comes: takes it, says no, says no for good, or keeps its sender waiting. */
export type Manner = 'take' | 'refuse' | 'refuse-for-good' | 'hold';

/** One thing that was sent to a receiver, and when. */
export interface Received {
  /** Message-ID without brackets and domain, or webhook-id. */
  readonly id: string;
  readonly to: string;
  /** The whole mail, or the body of the call. */
  readonly text: string;
  readonly atMs: number;
  readonly manner: Manner;
}

const SECRET = Buffer.from('a secret of twenty-four or more bytes');
/** How old a signature may be, as a receiver that minds would say. */
const FRESH_SECONDS = 300;

/** Both ways out, as somebody outside of Homeward: a mail server and the address of a webhook, real ones. */
export class Receivers {
  readonly mails: Received[] = [];
  readonly calls: Received[] = [];
  /** What is wrong with calls that came: their signatures are checked as a receiver should. */
  readonly forged: string[] = [];
  private readonly manners = new Map<string, Manner>();

  private constructor(
    private readonly mail: SMTPServer,
    private readonly web: Server,
    private readonly folder: string,
    readonly env: Record<string, string>,
  ) {}

  static async start(): Promise<Receivers> {
    const folder = mkdtempSync(join(tmpdir(), 'homeward-receivers-'));
    const { localhost } = await ensureCertificates(folder, { localhost: 1 }, Date.now());
    let receivers: Receivers | undefined;
    const mail = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'], logger: false, closeTimeout: 100,
      onRcptTo: ({ address }, _session, done) => receivers!.recipient(address, done),
      onData: (stream, { envelope }, done) => receivers!.takeMail(stream, envelope.rcptTo[0]!.address, done),
    });
    const web = createServer({ cert: readFileSync(localhost!.cert), key: readFileSync(localhost!.key) }, (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => receivers!.takeCall(request.headers, body, (status) => void response.writeHead(status).end('heard')));
    });
    const [mailPort, webPort] = [await portOf(mail.listen(0, '127.0.0.1')), await portOf(web.listen(0, '127.0.0.1'))];
    receivers = new Receivers(mail, web, folder, {
      HOMEWARD_SMTP_URL: `smtp://127.0.0.1:${mailPort}`, HOMEWARD_SMTP_FROM: 'Homeward <no-reply@homeward.example>',
      HOMEWARD_WEBHOOK_URL: `https://localhost:${webPort}/notices`, HOMEWARD_WEBHOOK_SECRET: `whsec_${SECRET.toString('base64')}`, NODE_EXTRA_CA_CERTS: localhost!.ca,
    });
    return receivers;
  }

  /** From now on, for what is sent to this identifier by either way. */
  behave(identifier: string, manner: Manner): void {
    this.manners.set(identifier, manner);
  }

  mailsTo(identifier: string): Received[] {
    return this.mails.filter(({ to }) => to === identifier);
  }

  callsFor(identifier: string): Received[] {
    return this.calls.filter(({ to }) => to === identifier);
  }

  async stop(): Promise<void> {
    this.web.close();
    (this.web as Server & { closeAllConnections(): void }).closeAllConnections();
    await new Promise<void>((resolve) => this.mail.close(() => resolve()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private recipient(address: string, done: (error?: Error) => void): void {
    if (this.mannerOf(address) !== 'refuse-for-good') return done();
    this.mails.push({ id: '', to: address, text: '', atMs: performance.now(), manner: 'refuse-for-good' });
    done(Object.assign(new Error(`no mailbox ${address} here`), { responseCode: 550 }));
  }

  private takeMail(stream: NodeJS.ReadableStream, to: string, done: (error?: Error | null) => void): void {
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('end', () => {
      const manner = this.mannerOf(to);
      this.mails.push({ id: /^Message-ID: <([^@]+)@homeward\.example>$/im.exec(text)?.[1] ?? '', to, text, atMs: performance.now(), manner });
      if (manner === 'take') done();
      else if (manner === 'refuse') done(Object.assign(new Error(`not now, ${to}`), { responseCode: 451 }));
    });
  }

  private takeCall(headers: NodeJS.Dict<string | string[]>, body: string, answer: (status: number) => void): void {
    const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => String(headers[name]));
    const right = Buffer.from(`v1,${createHmac('sha256', SECRET).update(`${id}.${timestamp}.${body}`).digest('base64')}`);
    const given = Buffer.from(signature!);
    if (given.length !== right.length || !timingSafeEqual(given, right)) this.forged.push(`${id}: its signature is wrong`);
    if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > FRESH_SECONDS) this.forged.push(`${id}: it is old`);
    const { identifier } = JSON.parse(body) as { identifier: string };
    const manner = this.mannerOf(identifier);
    this.calls.push({ id: id!, to: identifier, text: body, atMs: performance.now(), manner });
    if (manner !== 'hold') answer(manner === 'take' ? 202 : 503);
  }

  private mannerOf(identifier: string): Manner {
    return this.manners.get(identifier) ?? 'take';
  }
}

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => (server.listening ? resolve() : server.once('listening', () => resolve())));
  return (server.address() as AddressInfo).port;
}
