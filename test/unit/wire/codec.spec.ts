import { newId } from '#kernel/ids';
import { decodeHeartbeat, decodeMessage, encodeHeartbeat, encodeMessage, type Heartbeat, readHeartbeat, readHeartbeatAnswer, type StreamMessage } from '#kernel/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const region = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/);
const envelope = { writer: region, partition: fc.nat(3), number: fc.maxSafeNat().map((n) => Math.max(n, 1)), key: fc.uuid() };
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
const accountMessage = fc
  .record({ ...envelope, identifier: fc.emailAddress().filter((text) => text.length <= 254), home: region, createdAt: fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }) })
  .map(({ identifier, home, createdAt, ...rest }): StreamMessage => ({
    v: 1, ...rest, stream: 'accounts', payload: { id: rest.key, identifier, normalization: 1, home, createdAt: createdAt.toISOString() },
  }));
const epochMessage = fc
  .record({ ...envelope, epoch: fc.maxSafeNat(), keep: fc.option(hash, { nil: undefined }) })
  .map(({ epoch, keep, ...rest }): StreamMessage => ({ v: 1, ...rest, stream: 'epochs', payload: { account: rest.key, epoch, ...(keep === undefined ? {} : { keep }) } }));
const iso = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }).map((date) => date.toISOString());
const amount = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const memo = fc.option(fc.stringMatching(/^[ -~]{1,80}$/), { nil: undefined });
const order = fc.record({ id: fc.uuid(), payee: fc.uuid(), payeeHome: region, amount, memo, digest: hash, session: hash, epoch: fc.maxSafeNat(), acceptedBy: region, at: iso, to: region, voucher: fc.uuid(), incident: fc.option(fc.uuid(), { nil: undefined }) });
const orderMessage = fc.record({ ...envelope, order, kind: fc.constantFrom('request', 'cancel', 'credit', 'redeem', 'grant') }).map(({ order: given, kind, ...rest }): StreamMessage => {
  const { id, payee, payeeHome, digest, session, epoch, acceptedBy, at, to, voucher, incident } = given;
  const noted = given.memo === undefined ? {} : { memo: given.memo };
  const common = { v: 1 as const, ...rest, stream: 'orders' as const };
  if (kind === 'credit') return { ...common, payload: { kind, to, id, payer: payee, payee: rest.key, amount: given.amount, ...noted, decidedAt: at } };
  if (kind === 'redeem') return { ...common, payload: { kind, to, voucher, account: rest.key } };
  if (kind === 'grant') return { ...common, payload: { kind, to, account: rest.key, key: 'k', amount: given.amount, ...noted, ...(incident === undefined ? {} : { incident }) } };
  return { ...common, payload: { kind: kind as 'request', to, id, payer: rest.key, payee, payeeHome, amount: given.amount, ...noted, key: digest, session, epoch, acceptedBy, requestedAt: at } };
});
const message = fc.oneof(accountMessage, epochMessage, orderMessage);

const example = (): StreamMessage => {
  const key = newId();
  return { v: 1, writer: 'east', stream: 'accounts', partition: 2, number: 7, key, payload: { id: key, identifier: 'a@example.com', normalization: 1, home: 'east', createdAt: '2026-11-21T10:00:00.000Z' } };
};

describe('a stream message', () => {
  it('arrives as it was sent, the same bytes for the same message', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const bytes = encodeMessage(sent);
        expect(decodeMessage(bytes)).toEqual({ ok: true, message: sent });
        expect(decodeMessage(bytes.toString())).toEqual({ ok: true, message: sent });
        expect(encodeMessage(JSON.parse(JSON.stringify(sent)) as StreamMessage)).toEqual(bytes);
      }),
    );
  });

  it('of a newer version waits, with as much of its envelope as can be read', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1e6 }), fc.dictionary(fc.string(), fc.jsonValue()), (v, more) => {
        const decoded = decodeMessage(JSON.stringify({ ...more, v, writer: 'east', stream: 'transfers', partition: 12, number: 4, key: 'k', payload: [1] }));
        expect(decoded).toMatchObject({ ok: false, reason: 'unknown-version', message: { v, writer: 'east', stream: 'transfers', partition: 12, number: 4, key: 'k', payload: [1] } });
      }),
    );
  });

  it('with a missing, malformed or additional member is malformed, and says which', () => {
    const good = example();
    const without = (object: object, member: string) => Object.fromEntries(Object.entries(object).filter(([name]) => name !== member));
    const bad: unknown[] = [
      ...Object.keys(good).map((member) => without(good, member)),
      ...Object.keys(good.payload).map((member) => ({ ...good, payload: without(good.payload, member) })),
      { ...good, more: 1 }, { ...good, payload: { ...good.payload, more: 1 } }, { ...good, v: 0 }, { ...good, v: '1' }, { ...good, writer: 'East' }, { ...good, partition: 4 },
      { ...good, number: 0 }, { ...good, number: 1.5 }, { ...good, key: newId() }, { ...good, stream: 'epochs' },
      { ...good, payload: { ...good.payload, createdAt: '2026-02-30T10:00:00.000Z' } }, { ...good, payload: { ...good.payload, identifier: 'a\0' } },
      [], null, 'text', 7,
    ];
    for (const value of bad) {
      const decoded = decodeMessage(JSON.stringify(value));
      expect(decoded).toMatchObject({ ok: false, reason: 'malformed' });
      if (!decoded.ok) expect(decoded.detail).not.toContain('example.com');
    }
    expect(decodeMessage(Buffer.from([0xff, 0xfe]))).toMatchObject({ ok: false, reason: 'malformed' });
    expect(decodeMessage('x'.repeat(100_000))).toMatchObject({ ok: false, reason: 'malformed' });
  });

  it('of an order lacks no member of its kind and has none of another', () => {
    fc.assert(
      fc.property(orderMessage, (sent) => {
        const whole = JSON.parse(encodeMessage(sent).toString()) as { payload: Record<string, unknown> };
        const wrong = (payload: object) => expect(decodeMessage(JSON.stringify({ ...whole, payload }))).toMatchObject({ ok: false, reason: 'malformed' });
        for (const member of Object.keys(whole.payload)) {
          const { [member]: _, ...rest } = whole.payload;
          if (member !== 'memo' && member !== 'incident') wrong(rest);
          wrong({ ...whole.payload, [member]: null });
        }
        wrong({ ...whole.payload, more: 1 });
        wrong({ ...whole.payload, kind: 'gift' });
        if ('amount' in whole.payload) for (const not of [0, -1, 1.5, '1', Number.MAX_SAFE_INTEGER + 1]) wrong({ ...whole.payload, amount: not });
      }),
    );
  });

  it('is read or refused without throwing, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void expect(decodeMessage(bytes).ok).toBe(false)));
    fc.assert(fc.property(fc.jsonValue(), (value) => void expect(decodeMessage(JSON.stringify(value)).ok).toBe(false)));
  });
});

describe('a heartbeat', () => {
  const heartbeat: Heartbeat = {
    region: 'east', boot: 'abc', beat: 3, monoMs: 12.5, wallMs: 1_795_000_000_000, heads: { accounts: [1, 2, 3, 4], epochs: [0, 0, 0, 0], orders: [5, 0, 0, 0] },
    routes: { version: 1, digest: 'a'.repeat(64) }, macKeys: [1, 2], schema: 1_795_000_000_000,
  };

  it('arrives as it was sent, and a newer peer’s members are read over', () => {
    expect(decodeHeartbeat(encodeHeartbeat(heartbeat))).toEqual(heartbeat);
    expect(readHeartbeat({ ...heartbeat, load: 0.5, heads: { ...heartbeat.heads, transfers: [1] } })).toEqual(heartbeat);
    const applied = { accounts: [1, 1, 1, 1], epochs: [0, 0, 0, 0], orders: [0, 0, 0, 9] };
    expect(readHeartbeatAnswer({ ...heartbeat, serving: true, applied })).toEqual({ ...heartbeat, serving: true, applied });
    expect(readHeartbeatAnswer(heartbeat)).toBeUndefined();
  });

  it('of a region that does not know a stream yet shows it alive, with nothing in that stream', () => {
    const { orders: _, ...older } = heartbeat.heads;
    const answer = readHeartbeatAnswer({ ...heartbeat, heads: older, serving: true, applied: older });
    expect(answer).toEqual({ ...heartbeat, heads: { ...older, orders: [0, 0, 0, 0] }, serving: true, applied: { ...older, orders: [0, 0, 0, 0] } });
  });

  it('with a missing or malformed member is none', () => {
    for (const member of Object.keys(heartbeat)) expect(readHeartbeat({ ...heartbeat, [member]: undefined })).toBeUndefined();
    for (const bad of [{ monoMs: Number.NaN }, { heads: { accounts: [1, 2, 3], epochs: [0, 0, 0, 0] } }, { macKeys: ['1'] }, { routes: { version: 1, digest: 'x' } }]) {
      expect(readHeartbeat({ ...heartbeat, ...bad })).toBeUndefined();
    }
    fc.assert(fc.property(fc.jsonValue(), (value) => void expect(readHeartbeat(value)).toBeUndefined()));
  });
});
