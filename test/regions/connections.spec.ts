import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, call, sharedWorld } from './harness/index.js';
import { readMetrics, sumOf } from './harness/metrics.js';
import { Certificates, callPeer } from './harness/peer-call.js';
import { RawConnection } from './harness/raw-connection.js';

const world = sharedWorld();
const REGION = 'west';
const LISTENERS = ['public', 'ops', 'peer'] as const;
type Listener = (typeof LISTENERS)[number];
/** What is refused by its form is refused as soon as it is read. */
const CLOSED_MS = 5_000;
let ca: string;

beforeAll(() => {
  ca = new Certificates(world).ca;
});

function open(listener: Listener): RawConnection {
  const port = world.ports(REGION)[listener];
  return listener === 'peer' ? RawConnection.toTls(port, { ca, servername: REGION }) : RawConnection.to(port);
}

async function cutOff(listener: Listener, reason: string): Promise<number> {
  return sumOf(readMetrics((await world.ops(REGION, 'GET', '/metrics')).text), 'homeward_connections_cut_off_total', { listener, reason }) ?? 0;
}

/** The answers that a connection brought, one after the other. */
function answersOf(text: string): { status: number; headers: string; body: any }[] {
  return text.split(/(?=HTTP\/1\.1 \d{3} )/).map((one) => {
    const [headers, body] = [one.slice(0, one.indexOf('\r\n\r\n')), one.slice(one.indexOf('\r\n\r\n') + 4)];
    return { status: Number(one.slice(9, 12)), headers: headers.toLowerCase(), body: body === '' ? undefined : JSON.parse(body) };
  });
}

/** One problem in the contract's form, and nothing after it. */
function mustBeProblem(text: string, status: number, slug: string): void {
  const [answer, ...more] = answersOf(text);
  expect(more).toEqual([]);
  expect(answer).toMatchObject({ status, body: { type: `urn:homeward:problem:${slug}`, status, title: expect.any(String), detail: expect.any(String), instance: expect.any(String) } });
  for (const header of [`homeward-region: ${REGION}`, 'content-type: application/problem+json', 'connection: close', `x-request-id: ${answer!.body.instance}`]) expect(answer!.headers).toContain(header);
}

describe.each(LISTENERS)('the %s listener', (listener) => {
  it('cuts off what is no HTTP, with a typed 400', async () => {
    const before = await cutOff(listener, 'invalid-request');
    for (const junk of ['hello?\r\n\r\n', '\0\0\0\0\0\0\0\0\r\n', 'GET / HTTP/9.9\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n']) {
      const connection = open(listener).send(junk);
      await connection.untilCutOff(CLOSED_MS);
      mustBeProblem(connection.received, 400, 'invalid-request');
    }
    expect(await cutOff(listener, 'invalid-request')).toBe(before + 6);
  });

  it('cuts off headers of more than 16 KiB, and more than 100 of them, with a typed 431', async () => {
    const before = await cutOff(listener, 'headers-too-large');
    const flooded = open(listener).send(`GET / HTTP/1.1\r\nhost: a\r\nx-flood: ${'x'.repeat(17 * 1_024)}\r\n\r\n`);
    await flooded.untilCutOff(CLOSED_MS);
    mustBeProblem(flooded.received, 431, 'headers-too-large');
    expect(await cutOff(listener, 'headers-too-large')).toBe(before + 1);
    const many = open(listener).send(`GET /v1/degradation HTTP/1.1\r\nhost: a\r\n${Array.from({ length: 100 }, (_, index) => `x-${index}: y\r\n`).join('')}\r\n`);
    await many.untilCutOff(CLOSED_MS);
    mustBeProblem(many.received, 431, 'headers-too-large');
  });

  it('says nothing to junk behind a request whose answer is under way, and serves others on', async () => {
    const request = 'GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n';
    const connection = open(listener).send(request.repeat(50) + 'junk\r\n\r\n'.repeat(1_000));
    await connection.untilCutOff(CLOSED_MS);
    for (const { status } of answersOf(connection.received).filter(({ headers }) => headers !== '')) expect([404, 403, 400]).toContain(status);
    expect(await serves(listener)).toBe(true);
  });

  it('answers a path that can not be read by a typed 400', async () => {
    const connection = open(listener).send('GET /v1/%zz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    await connection.untilCutOff(CLOSED_MS);
    expect(answersOf(connection.received)).toMatchObject([{ status: 400, body: { type: 'urn:homeward:problem:invalid-request', errors: [{ path: '', message: expect.any(String) }] } }]);
  });
});

async function serves(listener: Listener): Promise<boolean> {
  if (listener === 'peer') {
    const certificates = new Certificates(world);
    const headers = { 'homeward-from': 'east', 'homeward-to': REGION };
    return (await callPeer({ port: world.ports(REGION).peer, to: REGION, ca, identity: certificates.of('east'), method: 'GET', path: '/peer/v1/heartbeat', headers })).status === 200;
  }
  const answer: Answer = await call('GET', `http://127.0.0.1:${world.ports(REGION)[listener]}${listener === 'ops' ? '/health/live' : '/v1/degradation'}`);
  return answer.status === 200;
}
