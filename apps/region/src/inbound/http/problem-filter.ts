import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DatabaseFullError, DatabaseOutcomeUnknownError, DatabaseUnavailableError } from '#adapters/postgres';
import { BodyTooLargeError, InvalidRequestError, NotFoundError, OutcomeUnknownError, PROBLEM_MEDIA_TYPE, ProblemError, UnavailableError, UnsupportedMediaTypeError, toProblem } from '#kernel/problems';
import type { Logger } from '#kernel/telemetry';

/** Room is made by a person or a job, not within a second. */
const FULL_RETRY_SECONDS = 10;
const FULL = "The disk of this region's database is nearly full: writes are refused until there is room, reads go on";

/** The one place that turns errors into RFC 9457 answers. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly own: string,
    private readonly logger: Logger,
    private readonly refused: (request: FastifyRequest, problem: ProblemError) => void = () => undefined,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const named = this.named(error);
    const problem = toProblem(named, request.id);
    if (named instanceof ProblemError) this.refused(request, named);
    else this.logger.error({ err: error, requestId: request.id }, 'an unexpected error');
    if (reply.sent) return;
    void reply.code(problem.status).headers(problem.headers).type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem.body));
  }

  /** Errors of the libraries beneath, as the problems that they are to a client. */
  private named(error: unknown): unknown {
    if (error instanceof ProblemError) return error;
    if (error instanceof DatabaseFullError) return new UnavailableError('postgres', FULL_RETRY_SECONDS, { detail: FULL, cause: error });
    if (error instanceof DatabaseUnavailableError) return new UnavailableError('postgres');
    if (error instanceof DatabaseOutcomeUnknownError) return new OutcomeUnknownError(this.own);
    const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
    if (status === 404) return new NotFoundError();
    if (status === 413) return new BodyTooLargeError();
    if (status === 415) return new UnsupportedMediaTypeError();
    if (status !== undefined && status >= 400 && status < 500) return new InvalidRequestError([{ path: '', message: error instanceof Error ? error.message : 'malformed request' }]);
    return error;
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
