import { afterEach, beforeEach, expect, it } from 'vitest';

import { TwoEnds, until } from './two-ends.js';

let ends: TwoEnds;

beforeEach(async () => {
  ends = await TwoEnds.open();
});
afterEach(async () => {
  await ends.close();
});

it('delays each way by the latency, on connections that are open already', async () => {
  const client = await ends.connected();
  await client.echo('quick');
  await ends.link.change({ latencyMs: 60 });
  const startedAt = performance.now();
  await client.echo('slow');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119);
  await ends.link.change({ latencyMs: 0 });
  await client.echo('quick again');
});

it('makes a new connection cost a round trip before its first byte arrives', async () => {
  await ends.link.change({ latencyMs: 50 });
  const startedAt = performance.now();
  const client = await ends.connected();
  client.socket.write('first');
  await until(() => ends.west.received === 'first', 'the first byte');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(148);
});

it('keeps the order under jitter', async () => {
  await ends.link.change({ latencyMs: 10, jitterMs: 10 });
  const client = await ends.connected();
  const words = Array.from({ length: 200 }, (_, index) => `${index},`);
  for (const word of words) {
    client.socket.write(word);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => client.received.length === words.join('').length, 'all words');
  expect(client.received).toBe(words.join(''));
});

it('sends again what is lost, later, and loses nothing of the order', async () => {
  await ends.link.change({ lossPercent: 50 });
  const client = await ends.connected();
  const startedAt = performance.now();
  const words = Array.from({ length: 40 }, (_, index) => `${index},`);
  for (const word of words) {
    client.socket.write(word);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => client.received.length === words.join('').length, 'all words');
  expect(client.received).toBe(words.join(''));
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199);
});

it('keeps its latency through a cut', async () => {
  await ends.link.change({ latencyMs: 30, jitterMs: 5 });
  await ends.link.change({ cut: { mode: 'hold', from: 'west' } });
  expect(ends.link.describe()).toEqual({ state: 'cut', mode: 'hold', direction: 'west-to-east', latencyMs: 30, jitterMs: 5, lossPercent: 0 });
  await ends.link.change({ cut: null });
  expect(ends.link.describe()).toEqual({ state: 'up', latencyMs: 30, jitterMs: 5, lossPercent: 0 });
});
