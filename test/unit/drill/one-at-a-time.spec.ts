import { describe, expect, it } from 'vitest';
import { OneAtATime } from '../../faults/drill/one-at-a-time.js';

describe('things that one holds at a time', () => {
  it('are held in the order in which they were asked for, each alone, whatever else is held beside', async () => {
    const things = new OneAtATime();
    const told: string[] = [];
    const work = async (name: string, of: string[]): Promise<void> => {
      const giveBack = await things.hold(of);
      told.push(`${name} begins`);
      await new Promise(setImmediate);
      told.push(`${name} ends`);
      giveBack();
    };
    await Promise.all([work('east', ['east/api', 'east/redis']), work('link', ['east/west']), work('api', ['east/api']), work('redis', ['east/redis'])]);
    for (const later of ['api', 'redis']) expect(told.indexOf('east ends')).toBeLessThan(told.indexOf(`${later} begins`));
    expect(told.indexOf('link begins')).toBeLessThan(told.indexOf('east ends'));
    expect(told.indexOf('redis begins')).toBeLessThan(told.indexOf('api ends'));
  });
});
