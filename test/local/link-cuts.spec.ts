import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { CUT_MODES, type CutMode } from '../../apps/local/link/link.js';
import { SILENCE_MS, TwoEnds, sleep, until } from './two-ends.js';

let ends: TwoEnds;

beforeEach(async () => {
  ends = await TwoEnds.open();
});
afterEach(async () => {
  await ends.close();
});

const cut = (mode: CutMode, from: 'both' | 'east' | 'west' = 'both') => ends.link.change({ cut: { mode, from } });
const heal = () => ends.link.change({ cut: null });

describe('a link that is up', () => {
  it('carries bytes in order, both ways, from both regions', async () => {
    for (const from of ['east', 'west'] as const) {
      const client = await ends.connected(from);
      for (const text of ['one', 'two', 'three']) await client.echo(text);
    }
  });

  it('carries more than it may hold at once, slowing the sender instead of growing', async () => {
    const client = await ends.connected();
    const megabyte = 'x'.repeat(1024 * 1024);
    for (let count = 0; count < 12; count += 1) client.socket.write(megabyte);
    await until(() => client.received.length === 12 * megabyte.length, '12 MiB');
  });

  it('ends each half by itself', async () => {
    const client = await ends.connected();
    client.socket.end('last words');
    await until(() => client.ended, 'the end');
    expect(client.received).toBe('last words');
    await until(() => ends.link.connectionCount === 0, 'letting go');
  });

  it('tells a reset of one end to the other', async () => {
    const client = await ends.connected();
    await client.echo('here');
    for (const socket of ends.west.sockets) socket.resetAndDestroy();
    await until(() => client.error === 'ECONNRESET', 'the reset');
  });

  it('resets whoever connects to a region where nobody listens', async () => {
    ends.west.close();
    const client = await ends.connected();
    await until(() => client.error === 'ECONNRESET', 'the reset');
    await until(() => ends.link.connectionCount === 0, 'letting go');
  });
});

describe('a blackhole', () => {
  it('silences open connections for ever, and new ones are made and silent', async () => {
    const old = await ends.connected();
    await old.echo('before');
    await cut('blackhole');
    expect(await old.isSilent('lost')).toBe(true);
    const made = await ends.connected();
    expect(await made.isSilent('lost too')).toBe(true);
    await heal();
    expect(await old.isSilent('after')).toBe(true);
    expect(await made.isSilent('after')).toBe(true);
    expect(ends.west.received).toBe('before');
    await (await ends.connected()).echo('new');
  });

  it('says nothing of an end, and lets go when both ends have gone', async () => {
    const client = await ends.connected();
    await client.echo('here');
    await cut('blackhole');
    client.socket.destroy();
    await sleep(SILENCE_MS);
    expect(ends.west.sockets.size).toBe(1);
    await heal();
    for (const socket of ends.west.sockets) socket.destroy();
    await until(() => ends.link.connectionCount === 0, 'letting go');
  });

  it('loses what is on its way', async () => {
    await ends.link.change({ latencyMs: 100 });
    const client = await ends.connected();
    client.socket.write('on its way');
    await sleep(20);
    await cut('blackhole');
    await heal();
    expect(await client.isSilent('')).toBe(true);
    expect(ends.west.received).toBe('');
  });
});

describe('a hold', () => {
  it('keeps what is sent, by old connections and new, and delivers it when it heals', async () => {
    const old = await ends.connected();
    await old.echo('a');
    await cut('hold');
    const made = await ends.connected();
    expect(await old.isSilent('b')).toBe(true);
    expect(await made.isSilent('c')).toBe(true);
    expect(ends.west.received).toBe('a');
    await heal();
    await until(() => old.received === 'ab' && made.received === 'c', 'what was held');
  });

  it('keeps an end and tells it when it heals', async () => {
    const client = await ends.connected();
    await client.echo('a');
    await cut('hold');
    client.socket.end('b');
    await sleep(SILENCE_MS);
    expect(client.ended).toBe(false);
    await heal();
    await until(() => client.received === 'ab' && client.ended, 'the end');
  });

  it('that becomes a blackhole loses what it held', async () => {
    const client = await ends.connected();
    await cut('hold');
    client.socket.write('held');
    await sleep(20);
    await cut('blackhole');
    await heal();
    expect(await client.isSilent('')).toBe(true);
    expect(ends.west.received).toBe('');
  });
});

describe('a refusal', () => {
  it('resets open connections, refuses new ones, and leaves none behind', async () => {
    const old = await ends.connected();
    await old.echo('a');
    await cut('refuse');
    await until(() => old.error === 'ECONNRESET', 'the reset');
    for (const from of ['east', 'west'] as const) {
      const refused = await ends.connected(from);
      expect(refused.error).toBe('ECONNREFUSED');
    }
    expect(ends.link.connectionCount).toBe(0);
    await heal();
    await (await ends.connected()).echo('b');
  });
});

describe('a syn cut', () => {
  it('silences open connections for ever; new ones hang in connecting and get through when it heals', async () => {
    const old = await ends.connected();
    await old.echo('a');
    await cut('syn');
    expect(await old.isSilent('b')).toBe(true);
    const hanging = [ends.client('east'), ends.client('west')];
    await sleep(SILENCE_MS);
    expect(hanging.map((client) => client.socket.connecting && client.error === undefined)).toEqual([true, true]);
    await heal();
    expect(await old.isSilent('c')).toBe(true);
    await (await ends.connected()).echo('d');
    // Their kernel repeats the first packet after a second.
    await Promise.all(hanging.map((client) => client.echo('e')));
  });
});

describe('a one-way cut from east to west', () => {
  it.each(['blackhole', 'hold'] as const)('stops what east sends and nothing else: %s', async (mode) => {
    const fromEast = await ends.connected('east');
    const fromWest = await ends.connected('west');
    await fromEast.echo('1');
    await fromWest.echo('2');
    await cut(mode, 'east');
    const newFromWest = await ends.connected('west');
    for (const socket of ends.west.sockets) socket.write('still here');
    await until(() => fromEast.received === '1still here', 'what west sends');
    expect(await fromEast.isSilent('x')).toBe(true);
    // West's words arrive; east's echo of them doesn't come back.
    expect(await fromWest.isSilent('y')).toBe(true);
    expect(await newFromWest.isSilent('z')).toBe(true);
    await heal();
    if (mode === 'hold') await until(() => fromEast.received === '1still herex' && fromWest.received === '2y' && newFromWest.received === 'z', 'what was held');
    else expect(await fromWest.isSilent('again')).toBe(true);
  });

  it('refuses what east opens, and resets what east answers', async () => {
    const fromWest = await ends.connected('west');
    await fromWest.echo('1');
    await cut('refuse', 'east');
    await until(() => fromWest.error === 'ECONNRESET', 'the reset');
    expect((await ends.connected('east')).error).toBe('ECONNREFUSED');
    const made = await ends.connected('west');
    made.socket.write('answer me');
    await until(() => made.error === 'ECONNRESET', 'the reset');
  });

  it('hangs connecting both ways when packets are lost: a connection needs both', async () => {
    await cut('syn', 'east');
    const hanging = [ends.client('east'), ends.client('west')];
    await sleep(SILENCE_MS);
    expect(hanging.every((client) => client.socket.connecting)).toBe(true);
  });
});

describe('any state may follow any other', () => {
  const states = [null, ...CUT_MODES];
  const pairs = states.flatMap((first) => states.map((second) => [first, second] as const));

  it.each(pairs)('%s, then %s, then healed', async (first, second) => {
    for (const mode of [first, second, second]) await ends.link.change({ cut: mode === null ? null : { mode, from: 'both' } });
    expect(ends.link.describe()).toMatchObject(second === null ? { state: 'up' } : { state: 'cut', mode: second, direction: 'both' });
    await heal();
    await (await ends.connected('east')).echo('east');
    await (await ends.connected('west')).echo('west');
  });

  it('asked for many at once, it ends in the last', async () => {
    const asked = ['syn', 'refuse', 'hold', 'syn', 'blackhole'] as const;
    await Promise.all([...asked.map((mode) => cut(mode)), heal()]);
    expect(ends.link.describe()).toMatchObject({ state: 'up' });
    await (await ends.connected()).echo('there');
  });
});
