import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { limits } from '#kernel/config';
import { call, eventually } from '../../regions/harness/index.js';
import { Certificates } from '../../regions/harness/peer-call.js';
import { RawConnection } from '../../regions/harness/raw-connection.js';
import { world } from './world.js';

const LISTENERS = ['public', 'ops', 'peer'] as const;
type Listener = (typeof LISTENERS)[number];
const REGION = 'west';
/** The limit, how often it is looked at, and the margin of a busy machine. */
const CUT_OFF_MS = limits.requestReceiveMs + 10_000;
const SLOW_MS = 400;
const AT_ONCE = 20;

describe.each(LISTENERS)('faults 33: slow clients of the %s listener', (listener) => {
  it('are cut off in time, whatever they withhold, while others are served', async () => {
    const slow = Object.values(withholding(listener)).flatMap((open) => Array.from({ length: AT_ONCE }, open));
    const slowClients = { waiting: true };
    const served = (async () => {
      let answers = 0;
      for (; slowClients.waiting || answers === 0; answers += 1) {
        await eventually(async () => expect(await statusOf(listener)).toBe(true), 5_000);
        await new Promise((next) => setTimeout(next, SLOW_MS));
      }
      return answers;
    })();
    try {
      await Promise.all(slow.map((connection) => connection.untilCutOff(CUT_OFF_MS)));
    } finally {
      slowClients.waiting = false;
      slow.forEach((connection) => connection.close());
    }
    expect(await served).toBeGreaterThan(5);
    const told = slow.filter(({ received }) => received !== '');
    for (const { received } of told) expect(received).toMatch(/^HTTP\/1\.1 408 .*urn:homeward:problem:request-timeout/s);
  });
});

describe('faults 33: a flood of connections', () => {
  it.each(LISTENERS)('from one address leaves the %s listener to others', async (listener) => {
    const port = world().ports(REGION)[listener];
    // Proxies stand before the clients of the public listener here, who share an address then: only the sum is bounded.
    const most = listener === 'public' ? limits.connectionsAtOnce : limits.connectionsPerAddress;
    const flood = Array.from({ length: limits.connectionsPerAddress + 100 }, () => RawConnection.to(port, '127.0.0.3'));
    try {
      // Those that are let in stay for now: in the end all are cut off, for saying nothing.
      await eventually(() => expect(flood.filter(({ open }) => open)).toHaveLength(Math.min(flood.length, most)));
      await eventually(async () => expect(await statusOf(listener)).toBe(true), 5_000);
    } finally {
      flood.forEach((connection) => connection.close());
    }
    await eventually(async () => {
      const late = opened(listener, '127.0.0.3').send('GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n');
      try {
        await late.untilReceived(listener === 'peer' ? /^HTTP\/1\.1 403/ : /^HTTP\/1\.1 404/);
      } finally {
        late.close();
      }
    });
  });
});

/** A connection to a listener, by TLS where it speaks that; without a certificate of its own. */
function opened(listener: Listener, from?: string): RawConnection {
  const port = world().ports(REGION)[listener];
  return listener === 'peer' ? RawConnection.toTls(port, { ca: new Certificates(world()).ca, servername: REGION }, from) : RawConnection.to(port, from);
}

/** Ways of not sending a request, each of which would hold a connection for ever. */
function withholding(listener: Listener): Record<string, () => RawConnection> {
  const port = world().ports(REGION)[listener];
  const open = (): RawConnection => opened(listener);
  const body = 'POST /v1/sessions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';
  return {
    'says nothing': () => open(),
    'trickles headers': () => open().send('GET /v1/degradation HTTP/1.1\r\n').trickle('x-slow: y\r\n', SLOW_MS),
    'trickles its first line': () => open().send('GET /v1/degradation?').trickle('x', SLOW_MS),
    ...(listener === 'public' ? {
      'trickles a body': () => open().send(`${body}content-length: 1000\r\n\r\n`).trickle(' ', SLOW_MS),
      'trickles chunks': () => open().send(`${body}transfer-encoding: chunked\r\n\r\n`).trickle('1\r\n \r\n', SLOW_MS),
    } : {}),
    ...(listener === 'peer' ? {
      'says nothing before its handshake': () => RawConnection.to(port),
      'trickles its handshake': () => RawConnection.to(port).send(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])).trickle('\0', SLOW_MS),
    } : {}),
  };
}

async function statusOf(listener: Listener): Promise<boolean> {
  const { [listener]: port } = world().ports(REGION);
  if (listener === 'public') return (await call('GET', `http://127.0.0.1:${port}/v1/degradation`)).status === 200;
  if (listener === 'ops') return (await call('GET', `http://127.0.0.1:${port}/health/live`)).status === 200;
  const { body } = await world().ops('east', 'GET', '/ops/status');
  return body.peers[REGION].link === 'up' && (await accepts(port));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
