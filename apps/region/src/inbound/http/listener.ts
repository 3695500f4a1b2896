import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { ServerOptions, Server as TlsServer } from 'node:https';
import { type DynamicModule, StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { limits } from '#kernel/config';
import { HeadersTooLargeError, InvalidRequestError, type ProblemError } from '#kernel/problems';
import { type Logger, withRequestId } from '#kernel/telemetry';
import { boundConnections, boundHandshakes } from './connections.js';
import { ProblemFilter } from './problem-filter.js';
import { refuseBadUrl, refuseRaw } from './raw-refusals.js';

/** How one listener differs from the others. */
export interface ListenerOptions {
  readonly region: string;
  readonly logger: Logger;
  readonly bodyBytes: number;
  /** Media types of bodies that are JSON; every other one is refused. Default `application/json`. */
  readonly mediaTypes?: readonly string[];
  readonly trustedProxies?: readonly string[];
  readonly https?: ServerOptions;
  /** Refuses a request before its body is read, by throwing. */
  readonly admit?: (request: FastifyRequest) => void;
  /** Called with each problem that is answered. */
  readonly refused?: (request: FastifyRequest, problem: ProblemError) => void;
  /** Called with each answer, for metrics and the log. */
  readonly answered?: (request: FastifyRequest, reply: FastifyReply) => void;
  /** Called with each connection or request that was cut off before it was one, for metrics. */
  readonly cutOff: (why: string) => void;
  /** Requests after which a connection is made anew; none by default. */
  readonly requestsPerConnection?: number;
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** One Nest application on Fastify, with what every listener of a region has in common; not yet listening. */
export async function createListener(module: DynamicModule, options: ListenerOptions): Promise<NestFastifyApplication> {
  const server = {
    bodyLimit: options.bodyBytes,
    // Slow clients, half-open connections and header floods are cut off.
    requestTimeout: limits.requestReceiveMs,
    connectionTimeout: 0,
    keepAliveTimeout: limits.idleConnectionMs,
    maxRequestsPerSocket: options.requestsPerConnection ?? 0,
    forceCloseConnections: 'idle' as const,
    // What still comes on a connection while the listener stops is answered as ever; Fastify's own refusal is untyped.
    return503OnClosing: false,
    clientErrorHandler: refuseRaw(options.region, options.cutOff),
    frameworkErrors: refuseBadUrl(options.region),
    trustProxy: options.trustedProxies !== undefined && options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) => requestId(request.headers['x-request-id']),
    routerOptions: { maxParamLength: 256 },
  };
  // Node's own refusal of a request without a Host is untyped; ours is in the hook below.
  const limitsOfNode = { maxHeaderSize: limits.headerBytes, headersTimeout: limits.requestReceiveMs, connectionsCheckingInterval: 1_000, requireHostHeader: false };
  const adapter = new FastifyAdapter(options.https ? { ...server, https: { ...limitsOfNode, ...options.https } } : { ...server, http: limitsOfNode });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, { logger: false, abortOnError: false, bodyParser: false });
  takeJsonOnly(adapter, options.mediaTypes ?? ['application/json']);
  app.useGlobalFilters(new ProblemFilter(options.region, options.logger, options.refused));
  app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: (issues) => new InvalidRequestError(issues.map(fieldError)) }));
  addHooks(adapter, options);
  passExpectations(app.getHttpServer() as Server);
  boundConnections(app.getHttpServer() as Server, options.trustedProxies === undefined || options.trustedProxies.length === 0, options.cutOff);
  if (options.https) boundHandshakes(app.getHttpServer() as TlsServer, options.cutOff);
  return app;
}

/**
 * Bodies are JSON in UTF-8 and nothing else, checked for poisoned prototypes as Fastify does. An empty body is none, whatever its
 * type: many clients name a type with a DELETE. A body that a route needs is then missed by its schema.
 */
function takeJsonOnly(adapter: FastifyAdapter, mediaTypes: readonly string[]): void {
  const fastify = adapter.getInstance();
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser([...mediaTypes], { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    // As text its bytes would become others: two passwords one, a name another.
    else if (!isUtf8(body as Buffer)) done(new InvalidRequestError([{ path: '', message: 'the body is not UTF-8' }]));
    else void parse(request, body.toString(), done);
  });
}

/** An expectation that nobody knows is passed over (RFC 9110, 10.1.1): Node's own refusal is untyped. */
function passExpectations(server: Server): void {
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
}

function addHooks(adapter: FastifyAdapter, options: ListenerOptions): void {
  const fastify = adapter.getInstance();
  // Before all hooks of Nest's, which answer preflights and odd paths: those are answers too.
  adapter.setOnRequestHook((request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
    void reply.header('homeward-region', options.region).header('x-request-id', request.id);
    if (request.headers['content-length'] === '0') delete request.headers['content-type'];
    try {
      if (request.raw.rawHeaders.length > 2 * limits.headerCount) throw new HeadersTooLargeError();
      if (request.raw.httpVersion === '1.1' && request.headers.host === undefined) throw new InvalidRequestError([{ path: 'Host', message: 'is missing' }]);
      options.admit?.(request);
      done();
    } catch (error) {
      void reply.header('connection', 'close');
      done(error as Error);
    }
  });
  // Here and not earlier: reading the body loses the asynchronous context.
  fastify.addHook('preValidation', (request, _reply, done) => withRequestId(request.id, done));
  if (options.answered) {
    const { answered } = options;
    fastify.addHook('onResponse', (request, reply, done) => {
      answered(request, reply);
      done();
    });
  }
}

function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

function fieldError(issue: { readonly message: string; readonly path?: readonly unknown[] | undefined }): { path: string; message: string } {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part)).join('.');
  return { path, message: issue.message };
}
