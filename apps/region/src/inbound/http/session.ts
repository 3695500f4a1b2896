import { type CanActivate, type ExecutionContext, Injectable, createParamDecorator } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ConsistencyVersions } from '#kernel/ids';
import { ConsistencyTokens } from '#kernel/ids';
import { SessionInvalidError } from '#kernel/problems';
import { FreshSession, type FreshlyChecked } from '#features/consistency';
import { tellRead } from './headers.js';

declare module 'fastify' {
  interface FastifyRequest {
    session?: FreshlyChecked;
    consistency?: ConsistencyVersions;
  }
}

/** Checks the session of a request; the handler gets it by `@Session()`. A refusal after it tells of the account too. */
@Injectable()
export class SessionGuard implements CanActivate {
  constructor(
    private readonly sessions: FreshSession,
    private readonly tokens: ConsistencyTokens,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    request.consistency = consistencyOf(this.tokens, request);
    request.session = await this.sessions.check(bearer(request), request.consistency);
    tellRead(http.getResponse<FastifyReply>(), request.session.session.home, request.session.read);
    return true;
  }
}

/** The checked session of the request. */
export const Session = createParamDecorator((_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<FastifyRequest>().session!);

/** The bearer token of a request. @throws SessionInvalidError where there is none */
export function bearer(request: FastifyRequest): string {
  const header = request.headers.authorization;
  if (header === undefined || !/^bearer /i.test(header)) throw new SessionInvalidError();
  return header.slice(7).trimStart();
}

/** The client's consistency token; an invalid one is ignored (contract). */
export function consistencyOf(tokens: ConsistencyTokens, request: FastifyRequest): ConsistencyVersions | undefined {
  const header = request.headers['homeward-consistency'];
  return typeof header === 'string' ? tokens.decode(header) : undefined;
}
