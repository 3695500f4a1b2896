import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BodyTooLargeError, HeadersTooLargeError, InvalidRequestError, PROBLEM_MEDIA_TYPE, type ProblemError, RequestTimeoutError, toProblem } from '#kernel/problems';

/** A socket as Node's HTTP server has it: with the answer that is under way on it, if any. */
type HttpSocket = Socket & { _httpMessage?: ServerResponse | null };

const WORDS: Record<number, string> = { 400: 'Bad Request', 408: 'Request Timeout', 413: 'Content Too Large', 431: 'Request Header Fields Too Large' };

/**
 * Answers what never became a request (junk, too large or too slow headers, a body that does not come) by a typed problem, and closes the
 * connection. Where an answer to an earlier request is still under way on it nothing is said: it would be taken for that answer.
 */
export function refuseRaw(region: string, refused: (why: string) => void): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return (error, socket: HttpSocket) => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const problem = problemOf(error);
    refused(problem.code);
    const { _httpMessage: underWay } = socket;
    const late = problem instanceof RequestTimeoutError;
    const silent = underWay !== undefined && underWay !== null && (!late || underWay.headersSent);
    if (socket.writable && !silent) socket.write(textOf(problem, region));
    socket.destroySoon();
  };
}

/** Answers a path that no router could read; hooks and filters don't see it. */
export function refuseBadUrl(region: string): (error: Error, request: FastifyRequest, reply: FastifyReply) => void {
  return (_error, request, reply) => {
    const { body, status, headers } = toProblem(new InvalidRequestError([{ path: '', message: 'the path is malformed' }]), request.id);
    void reply.code(status).headers({ ...headers, 'homeward-region': region, 'x-request-id': request.id }).send(JSON.stringify(body));
  };
}

function problemOf({ code, message }: NodeJS.ErrnoException): ProblemError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTimeoutError();
  if (code === 'HPE_HEADER_OVERFLOW') return new HeadersTooLargeError();
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return new BodyTooLargeError();
  return new InvalidRequestError([{ path: '', message: `no HTTP/1.1 request: ${message.replace(/^Parse Error: /, '')}` }]);
}

function textOf(problem: ProblemError, region: string): string {
  const id = randomUUID();
  const { body, status } = toProblem(problem, id);
  const text = JSON.stringify(body);
  const headers = [
    `HTTP/1.1 ${status} ${WORDS[status]}`, `content-type: ${PROBLEM_MEDIA_TYPE}`, `content-length: ${Buffer.byteLength(text)}`,
    `homeward-region: ${region}`, `x-request-id: ${id}`, 'connection: close',
  ];
  return `${headers.join('\r\n')}\r\n\r\n${text}`;
}
