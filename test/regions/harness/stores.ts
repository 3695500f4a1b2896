import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type MacKey, MacKeyring, SessionIds } from '#kernel/ids';
import type { World } from './world.js';

/** Asks a region's own Redis as its operator could. */
export async function withRedis<T>(world: World, region: string, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const { redisPassword } = JSON.parse(readFileSync(join(world.address.data, 'secrets.json'), 'utf8')) as { redisPassword: string };
  const redis = new Redis({ host: '127.0.0.1', port: world.ports(region).redis, password: redisPassword, lazyConnect: true, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  await redis.connect();
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

/** Every key of a region's Redis and what it holds, as one text each. */
export function everythingInRedis(world: World, region: string): Promise<string[]> {
  return withRedis(world, region, async (redis) => {
    const keys = await redis.keys('*');
    const values = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    return keys.map((key, index) => `${key} ${values[index]?.toString('latin1') ?? ''}`);
  });
}

/** Makes a region's Redis come back with what it holds now, whenever it starts next. @returns forgets that */
export function keepOldState(world: World, region: string): Promise<() => void> {
  return withRedis(world, region, async (redis) => {
    const [, directory] = (await redis.config('GET', 'dir')) as [string, string];
    await redis.save();
    const dump = join(directory, 'dump.rdb');
    if (!existsSync(dump)) throw new Error(`Redis saved nothing to ${dump}`);
    return () => rmSync(dump, { force: true });
  });
}

/** The tables of a region that have a row with any of these texts in it; a row's text has its bytes in hexadecimal. */
export async function tablesThatHold(world: World, region: string, texts: readonly string[]): Promise<string[]> {
  const tables = await world.sql<{ name: string }>(region, `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`);
  const asked = tables.map(({ name }) => `SELECT '${name}' AS name WHERE EXISTS (SELECT FROM "${name}" t, unnest($1::text[]) AS secret WHERE strpos(t::text, secret) > 0)`);
  return (await world.sql<{ name: string }>(region, asked.join(' UNION ALL '), [texts])).map(({ name }) => name);
}

/** Makes and reads tokens as the regions do; with `keys` of another deployment, as a forger does. */
export function tokenMaker(world: World, options: { keys?: readonly MacKey[]; atMs?: number } = {}): SessionIds {
  const keys = options.keys ?? (JSON.parse(readFileSync(join(world.address.data, 'mac-keys.json'), 'utf8')) as MacKey[]);
  return new SessionIds(new MacKeyring(keys), { wallMs: () => options.atMs ?? Date.now() });
}
