import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ConsistencyTokens, ConsistencyVersions } from '#kernel/ids';
import { InvalidRequestError } from '#kernel/problems';

const VISIBLE = /^[\x21-\x7e]{1,128}$/;

/** The Idempotency-Key, undefined where none was sent. @throws InvalidRequestError for one that is not 1 to 128 visible characters */
export function idempotencyKey(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !VISIBLE.test(key)) throw new InvalidRequestError([{ path: 'Idempotency-Key', message: 'must be 1 to 128 visible characters' }]);
  return key;
}

/** The entity tags of If-Match, undefined where none was sent. Weak ones never match (RFC 9110, 13.1.1), so they are left out. */
export function ifMatch(request: FastifyRequest): string[] | undefined {
  const header = request.headers['if-match'];
  return header?.split(',').map((tag) => tag.trim()).filter((tag) => tag === '*' || /^"[^"]*"$/.test(tag));
}

/** Tells whose home an account has and how its data was read; once something of an answer was stale, all of it is. */
export function tellRead(reply: FastifyReply, home: string, read: string): void {
  const isStale = reply.getHeader('homeward-read') === 'stale';
  void reply.header('homeward-home', home).header('homeward-read', isStale ? 'stale' : read);
}

/** Tells the client what to send back to read its own write: what it sent with this call, and what was written now. */
export function tellWritten(tokens: ConsistencyTokens, request: FastifyRequest, reply: FastifyReply, account: string): (versions: ConsistencyVersions['versions']) => void {
  return (versions) => void reply.header('homeward-consistency', tokens.encode(tokens.merge(request.consistency, { account, versions })));
}
