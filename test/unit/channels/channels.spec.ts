import { type RequestListener, createServer } from 'node:http';
import { type AddressInfo, type Server, createServer as createSilent } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterEach, describe, expect, it } from 'vitest';
import { type OutsideMessage, SmtpChannel, WebhookChannel } from '#adapters/channels';

const message: OutsideMessage = {
  id: '0fe05708-8085-85bb-aaf8-594175e5fa1c', kind: 'password-changed', account: '01a1fe63-ed05-7704-865f-e3550c9858ab', identifier: 'ada@example.com', locale: 'zh',
  title: '密码已更改', body: 'x', createdAt: '2026-01-02T03:04:05.678Z', data: {},
};
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
/** Generous where an answer comes, and all that has to pass where none does. */
const [LIMIT_MS, SILENT_MS] = [10_000, 200];
const FROM = 'Homeward <no-reply@homeward.example>';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(ending.splice(0).map((end) => end()));
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function web(answer: RequestListener): Promise<WebhookChannel> {
  const server = createServer(answer);
  const port = await listening(server);
  ending.push(() => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  }));
  return new WebhookChannel({ url: `http://127.0.0.1:${port}/notices`, secret: SECRET });
}

/** Takes connections and never says a word. */
async function silent(): Promise<number> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createSilent((socket) => sockets.add(socket));
  ending.push(() => new Promise((resolve) => {
    server.close(resolve);
    for (const socket of sockets) socket.destroy();
  }));
  return listening(server);
}

/** A mail server in the clear, and what it took. */
async function mail(): Promise<{ port: number; taken: string[] }> {
  const taken: string[] = [];
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'], logger: false, closeTimeout: 100,
    onData: (stream, _session, done) => {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('end', () => {
        taken.push(text);
        done();
      });
    },
  });
  ending.push(() => new Promise((resolve) => server.close(() => resolve(undefined))));
  server.listen(0, '127.0.0.1');
  await new Promise<void>((resolve) => (server.server.listening ? resolve() : server.server.once('listening', () => resolve())));
  return { port: (server.server.address() as AddressInfo).port, taken };
}

describe('a webhook', () => {
  it('acknowledges by any 2xx and refuses by anything else', async () => {
    for (const status of [200, 202, 204]) expect(await (await web((_, response) => response.writeHead(status).end())).send(message, LIMIT_MS)).toEqual({ outcome: 'acknowledged' });
    for (const status of [400, 410, 429, 500]) expect(await (await web((_, response) => response.writeHead(status).end())).send(message, LIMIT_MS)).toEqual({ outcome: 'refused', why: `HTTP ${status}`, forGood: false });
  });

  it('is not followed where it redirects', async () => {
    const paths: string[] = [];
    const channel = await web((request, response) => {
      paths.push(request.url!);
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    expect(await channel.send(message, LIMIT_MS)).toEqual({ outcome: 'refused', why: 'HTTP 307', forGood: false });
    expect(paths).toEqual(['/notices']);
  });

  it('is not listened to for ever: its status has said all', async () => {
    let written = 0;
    let closed: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (closed = resolve));
    const channel = await web((_, response) => {
      response.writeHead(200);
      const talking = setInterval(() => {
        written += 4_096;
        response.write('x'.repeat(4_096));
      }, 1);
      response.on('close', () => {
        clearInterval(talking);
        closed();
      });
    });
    expect(await channel.send(message, LIMIT_MS)).toEqual({ outcome: 'acknowledged' });
    await over;
    // What was on its way, and no more: until the deadline it would have been several times as much.
    expect(written).toBeLessThan(4 * 1_024 * 1_024);
  });

  it('that never answers, or is not there, leaves it unknown whether it has heard', async () => {
    const port = await silent();
    expect(await new WebhookChannel({ url: `http://127.0.0.1:${port}/`, secret: SECRET }).send(message, SILENT_MS)).toEqual({ outcome: 'unknown', why: 'HTTP TimeoutError' });
    expect(await new WebhookChannel({ url: 'http://127.0.0.1:9/', secret: SECRET }).send(message, LIMIT_MS)).toMatchObject({ outcome: 'unknown', why: expect.stringMatching(/^HTTP \w+/) });
  });
});

describe('a mail', () => {
  it("has the notification's id and date, and says that a machine wrote it and in what language", async () => {
    const { port, taken } = await mail();
    expect(await new SmtpChannel({ url: `smtp://127.0.0.1:${port}`, from: FROM }).send(message, LIMIT_MS)).toEqual({ outcome: 'acknowledged' });
    for (const header of [`Message-ID: <${message.id}@homeward.example>`, `From: ${FROM}`, 'To: ada@example.com', 'Date: Fri, 02 Jan 2026 03:04:05 +0000', 'Auto-Submitted: auto-generated', 'Content-Language: zh']) expect(taken[0]).toContain(`${header}\r\n`);
  });

  it('is not sent in the clear to another machine', async () => {
    const { port, taken } = await mail();
    // The same machine by a name that does not say so.
    expect((await new SmtpChannel({ url: `smtp://127.1:${port}`, from: FROM }).send(message, LIMIT_MS)).outcome).not.toBe('acknowledged');
    expect(taken).toEqual([]);
  });

  it('to a server that never answers, or is not there, may have been sent', async () => {
    const port = await silent();
    expect(await new SmtpChannel({ url: `smtp://127.0.0.1:${port}`, from: FROM }).send(message, SILENT_MS)).toEqual({ outcome: 'unknown', why: 'SMTP EABORT' });
    expect(await new SmtpChannel({ url: 'smtp://127.0.0.1:9', from: FROM }).send(message, LIMIT_MS)).toMatchObject({ outcome: 'unknown', why: expect.stringMatching(/^SMTP E\w+/) });
  });

  it('reaches addresses alone', () => {
    const channel = new SmtpChannel({ url: 'smtp://127.0.0.1:9', from: FROM });
    expect(['ada@example.com', '+12025550123'].map((identifier) => channel.reaches(identifier))).toEqual([true, false]);
  });
});
