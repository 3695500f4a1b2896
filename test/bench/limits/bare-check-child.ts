import fastify from 'fastify';
import { Redis } from 'ioredis';

/**
 * The limit of a session check: Fastify and one plain ioredis GET, nothing else. Started with a port and the URL of a
 * Redis that holds a text under `bench:<token>`.
 */
const [port, redisUrl] = process.argv.slice(2) as [string, string];
const redis = new Redis(redisUrl);
const app = fastify();
app.get('/v1/sessions/current', async (request, reply) => {
  const text = await redis.get(`bench:${request.headers.authorization!.slice(7)}`);
  return reply.type('application/json; charset=utf-8').send(text);
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
process.send!('ready');
process.on('disconnect', () => process.exit(0));
