import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { AttemptGate } from '../../../libs/features/attempts/attempt-gate.js';
import { AttemptKeys, addressKey } from '../../../libs/features/attempts/keys.js';
import { SecondReadBudget } from '../../../libs/features/attempts/second-read-budget.js';

describe('the attempt gate', () => {
  it('lets a burst fail exactly as often as it may', async () => {
    const gate = new AttemptGate();
    let failed = 0;
    let refused = 0;
    const remaining = async (): Promise<number> => {
      await sleep(Math.random() * 3);
      if (failed >= 10) throw new Error('none left');
      return 10 - failed;
    };
    const attempt = async (): Promise<void> => {
      let end: () => void;
      try {
        end = await gate.enter('key', remaining);
      } catch {
        refused += 1;
        return;
      }
      await sleep(Math.random() * 5);
      failed += 1;
      end();
    };
    await Promise.all(Array.from({ length: 60 }, attempt));
    expect([failed, refused]).toEqual([10, 50]);
  });

  it('lets all pass, a few at a time, where none fails', async () => {
    const gate = new AttemptGate();
    let underWay = 0;
    let most = 0;
    const attempt = async (): Promise<void> => {
      const end = await gate.enter('key', () => Promise.resolve(3));
      underWay += 1;
      most = Math.max(most, underWay);
      await setImmediate();
      underWay -= 1;
      end();
    };
    await Promise.all(Array.from({ length: 30 }, attempt));
    expect(most).toBe(3);
  });

  it('asks about a flood of one key a few times for each that ends, and refuses what can not wait', async () => {
    const gate = new AttemptGate();
    let asked = 0;
    const remaining = (): Promise<number> => Promise.resolve(((asked += 1), 4));
    const end = await Promise.all(Array.from({ length: 4 }, () => gate.enter('key', remaining)));
    const refused: unknown[] = [];
    const flood = Array.from({ length: 500 }, () => gate.enter('key', remaining).then((leave) => leave(), (error: unknown) => void refused.push(error)));
    await vi.waitFor(() => expect(refused).toHaveLength(436));
    end.forEach((leave) => leave());
    await Promise.all(flood);
    expect(refused).toHaveLength(436);
    for (const error of refused) expect(error).toMatchObject({ code: 'overloaded' });
    expect(asked).toBeLessThan(4 + 500 + 3 * 64);
  });

  it('refuses all who wait, at once, when none may fail any more', async () => {
    const gate = new AttemptGate();
    let left = 2;
    let asked = 0;
    const remaining = async (): Promise<number> => {
      asked += 1;
      if (left === 0) throw new Error('none left');
      return left;
    };
    const ends = await Promise.all([gate.enter('key', remaining), gate.enter('key', remaining)]);
    const waiting = Array.from({ length: 20 }, () => gate.enter('key', remaining));
    const outcomes = Promise.allSettled(waiting);
    await vi.waitFor(() => expect(asked).toBe(2 + waiting.length));
    left = 0;
    ends[0]!();
    expect((await outcomes).map(({ status }) => status)).toEqual(Array(20).fill('rejected'));
    ends[1]!();
  });
});

describe('attempt keys', () => {
  it.each([
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['1.2.3.4', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['unix', 'unix'],
  ])('%s counts as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  it('hide the identifier, and hang on the secret', () => {
    const key = new AttemptKeys('one').identifier('+491701234567');
    expect(key).toMatch(/^[\w-]{16}$/);
    expect(new AttemptKeys('one').identifier('+491701234567')).toBe(key);
    expect(new AttemptKeys('two').identifier('+491701234567')).not.toBe(key);
  });
});

describe('the budget of second reads', () => {
  it('takes ten of one identifier in a minute, then more in the next', () => {
    const clock = { nowMs: 0, monoMs: () => clock.nowMs };
    const budget = new SecondReadBudget(clock);
    const take = (): void => budget.take({ identifier: 'a', address: '1.1.1.1', peer: 'west' })();
    for (let n = 0; n < 10; n += 1) take();
    expect(take).toThrow(expect.objectContaining({ code: 'overloaded', retryAfterSeconds: 60 }));
    clock.nowMs = 60_000;
    take();
  });

  it('takes 300 from one address in a minute, whoever they are of', () => {
    const budget = new SecondReadBudget({ monoMs: () => 0 });
    const take = (n: number, address: string): void => budget.take({ identifier: `${n}`, address, peer: 'west' })();
    for (let n = 0; n < 300; n += 1) take(n, `2001:db8:1:2::${n}`);
    expect(() => take(301, '2001:db8:1:2:3::4')).toThrow(expect.objectContaining({ code: 'overloaded' }));
    take(302, '2001:db8:1:3::1');
  });

  it('gives one peer no more than its share at once', () => {
    const budget = new SecondReadBudget({ monoMs: () => 0 });
    const take = (n: number) => budget.take({ identifier: `${n}`, address: `10.0.0.${n}`, peer: 'west' });
    const releases = Array.from({ length: 32 }, (_, n) => take(n));
    expect(() => take(99)).toThrow(expect.objectContaining({ code: 'overloaded' }));
    releases[0]!();
    take(99);
  });
});
