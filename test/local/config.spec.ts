import { describe, expect, it } from 'vitest';

import { parseConfig } from '../../apps/local/config.js';

const parse = (argv: string[], env: Record<string, string> = {}) => parseConfig(argv, env, '/here');

describe('the arguments of npm start', () => {
  it('have defaults', () => {
    expect(parse([])).toEqual({ fresh: false, regions: undefined, dataDir: undefined, portBase: 4_000, serviceEnv: {}, followParent: false });
  });

  it('are taken with = and without', () => {
    const wanted = { fresh: true, regions: ['east', 'west', 'north'], dataDir: '/here/data', portBase: 5_000 };
    expect(parse(['--fresh', '--regions', 'east,west,north', '--data', 'data', '--port-base', '5000'])).toMatchObject(wanted);
    expect(parse(['--fresh', '--regions=east,west,north', '--data=data', '--port-base=5000'])).toMatchObject(wanted);
  });

  it.each([
    [['--regions', 'East'], /can't be a region's name/],
    [['--regions', 'east,east'], /twice/],
    [['--regions', 'a-name-that-is-too-long'], /can't be a region's name/],
    [['--regions'], /needs a value/],
    [['--port-base', '80'], /--port-base/],
    [['--port-base', '65100'], /--port-base/],
    [['--env', 'nothing'], /KEY=VALUE/],
    [['--wrong'], /unknown argument --wrong/],
  ])('%j is refused with a line that says why', (argv, message) => {
    expect(() => parse(argv)).toThrow(message);
  });
});

describe('what reaches the services', () => {
  it('is what HOMEWARD_ variables and --env say, --env over the other, nothing that is empty or for the runtime itself', () => {
    const env = { HOMEWARD_OPS_TOKEN: 'a', HOMEWARD_LOG_LEVEL: 'info', HOMEWARD_CURRENCY: '', HOMEWARD_LOCAL_DATA: '/data', PATH: '/bin' };
    const config = parse(['--env', 'HOMEWARD_LOG_LEVEL=debug', '--env', 'A=b=c'], env);
    expect(config.serviceEnv).toEqual({ HOMEWARD_OPS_TOKEN: 'a', HOMEWARD_LOG_LEVEL: 'debug', A: 'b=c' });
    expect(config.dataDir).toBe('/data');
  });
});
