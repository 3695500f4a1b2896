import { createHash, timingSafeEqual } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { SessionInvalidError } from '#kernel/problems';

/** The operator token, for injection by class. */
export class OpsToken {
  constructor(readonly token: string) {}
}

/** Lets operators through: they present the operator token. */
@Injectable()
export class OpsGuard implements CanActivate {
  private readonly expected: Buffer;

  constructor({ token }: OpsToken) {
    this.expected = digest(token);
  }

  canActivate(context: ExecutionContext): boolean {
    const header = context.switchToHttp().getRequest<FastifyRequest>().headers.authorization ?? '';
    if (!/^bearer /i.test(header) || !timingSafeEqual(digest(header.slice(7).trimStart()), this.expected)) throw new SessionInvalidError('The operator token is missing or wrong');
    return true;
  }
}

/** Compared as digests: of one length, whatever was sent. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
