import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '#kernel/config';

const folder = mkdtempSync(join(tmpdir(), 'homeward-config-'));
const keys = join(folder, 'keys.json');
writeFileSync(keys, JSON.stringify([{ id: 1, secret: Buffer.alloc(32, 1).toString('base64url') }]));
afterAll(() => rmSync(folder, { recursive: true }));

const env = {
  HOMEWARD_REGION: 'east', HOMEWARD_REGIONS: 'west,east', HOMEWARD_PUBLIC_PORT: '4100', HOMEWARD_OPS_PORT: '4101', HOMEWARD_PEER_PORT: '4102',
  HOMEWARD_DATABASE_URL: 'postgres://a@b/c', HOMEWARD_REDIS_URL: 'redis://b', HOMEWARD_KAFKA_BROKERS: 'b:1', HOMEWARD_TLS_CA: keys, HOMEWARD_TLS_CERT: keys,
  HOMEWARD_TLS_KEY: keys, HOMEWARD_MAC_KEYS: keys, HOMEWARD_OPS_TOKEN: 'operator-token',
  HOMEWARD_PEERS: JSON.stringify({ west: { url: 'https://127.0.0.1:4202', brokers: ['127.0.0.1:1'], database: 'host=west' } }),
};

const SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;

describe('the configuration', () => {
  it('is one typed object, with its peers in order and its defaults', () => {
    const config = readConfig(env);
    expect(config.regions).toEqual(['east', 'west']);
    expect(config.peers).toEqual([{ name: 'west', url: 'https://127.0.0.1:4202', brokers: ['127.0.0.1:1'], database: 'host=west' }]);
    expect(config).toMatchObject({ host: '127.0.0.1', attemptsPerIdentifier: 10, attemptsPerAddress: 100, corsOrigins: [], trustedProxies: [], currency: 'EUR', transferExpiryMs: 86_400_000 });
  });

  it('tells every problem at once, by variable name', () => {
    const broken = { ...env, HOMEWARD_REGION: 'East', HOMEWARD_PUBLIC_PORT: 'x', HOMEWARD_TLS_CA: '/nowhere', HOMEWARD_OPS_TOKEN: undefined };
    const error = caught(() => readConfig(broken));
    expect(error).toBeInstanceOf(ConfigError);
    for (const name of ['HOMEWARD_REGION', 'HOMEWARD_PUBLIC_PORT', 'HOMEWARD_TLS_CA', 'HOMEWARD_OPS_TOKEN']) expect((error as Error).message).toContain(name);
  });

  it("takes any text for the operator's token", () => {
    expect(readConfig({ ...env, HOMEWARD_OPS_TOKEN: 'x' }).opsToken).toBe('x');
    expect(String(caught(() => readConfig({ ...env, HOMEWARD_OPS_TOKEN: '' })))).toContain('HOMEWARD_OPS_TOKEN');
  });

  it('takes the ways out for notifications, in the clear on this machine alone', () => {
    expect(readConfig(env)).toMatchObject({ smtp: undefined, webhook: undefined, deliveryAttempts: 20, announceAfterMs: 30_000, autoAnnounce: false });
    for (const url of ['https://hooks.example/notices', 'http://127.0.0.1:80/', 'http://localhost/x', 'http://[::1]:8080/']) {
      expect(readConfig({ ...env, HOMEWARD_WEBHOOK_URL: url, HOMEWARD_WEBHOOK_SECRET: SECRET }).webhook).toEqual({ url, secret: SECRET });
    }
    for (const from of ['no-reply@homeward.example', 'Homeward <no-reply@homeward.example>']) {
      expect(readConfig({ ...env, HOMEWARD_SMTP_URL: 'smtps://user:password@mail.example', HOMEWARD_SMTP_FROM: from }).smtp).toEqual({ url: 'smtps://user:password@mail.example', from });
    }
  });

  it.each([
    ['HOMEWARD_REGIONS', { HOMEWARD_REGIONS: 'west' }], ['HOMEWARD_PEERS', { HOMEWARD_PEERS: '{}' }], ['HOMEWARD_PEERS', { HOMEWARD_PEERS: 'no json' }],
    ['HOMEWARD_DATABASE_URL', { HOMEWARD_DATABASE_URL: 'mysql://x' }], ['HOMEWARD_DATABASE_CAPACITY_BYTES', { HOMEWARD_DATABASE_CAPACITY_BYTES: '' }],
    ['HOMEWARD_SMTP_URL', { HOMEWARD_SMTP_URL: 'http://mail.example', HOMEWARD_SMTP_FROM: 'a@b.example' }], ['HOMEWARD_SMTP_FROM', { HOMEWARD_SMTP_URL: 'smtp://mail.example' }],
    ['HOMEWARD_SMTP_FROM', { HOMEWARD_SMTP_URL: 'smtp://mail.example', HOMEWARD_SMTP_FROM: 'a@b.example>\r\nBcc: <c@d.example' }],
    ['HOMEWARD_WEBHOOK_SECRET', { HOMEWARD_WEBHOOK_URL: 'https://hooks.example' }], ['HOMEWARD_WEBHOOK_SECRET', { HOMEWARD_WEBHOOK_SECRET: 'whsec_c2hvcnQ=' }],
    ['HOMEWARD_WEBHOOK_URL', { HOMEWARD_WEBHOOK_URL: 'http://hooks.example', HOMEWARD_WEBHOOK_SECRET: SECRET }], ['HOMEWARD_WEBHOOK_URL', { HOMEWARD_WEBHOOK_URL: 'http://localhost.example', HOMEWARD_WEBHOOK_SECRET: SECRET }],
    ['HOMEWARD_WEBHOOK_URL', { HOMEWARD_WEBHOOK_URL: 'https://user:password@hooks.example', HOMEWARD_WEBHOOK_SECRET: SECRET }], ['HOMEWARD_AUTO_ANNOUNCE', { HOMEWARD_AUTO_ANNOUNCE: 'yes' }],
  ])('refuses a wrong %s', (name, change) => {
    expect(String(caught(() => readConfig({ ...env, ...change })))).toContain(name);
  });
});

function caught(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
