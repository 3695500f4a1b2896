import { applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { problemAnswer } from './schemas.js';

const HEADERS = {
  'Homeward-Region': { description: 'The region that answered', schema: { type: 'string' as const } },
  'X-Request-Id': { description: 'The id of this request, in every region that worked for it', schema: { type: 'string' as const } },
};
const ACCOUNT_HEADERS = {
  'Homeward-Home': { description: "The account's home", schema: { type: 'string' as const } },
  'Homeward-Read': { description: 'How the data was read', schema: { type: 'string' as const, enum: ['local', 'second', 'origin', 'cache', 'stale'] } },
};
const WRITE_HEADERS = { 'Homeward-Consistency': { description: 'Send it back to read your own writes in any region', schema: { type: 'string' as const } } };
const ETAG = { ETag: { description: 'The same in all regions for the same content', schema: { type: 'string' as const } } };

const LOCATION = { Location: { description: 'Where it shows what has become of it', schema: { type: 'string' as const } } };

/** Slugs by status, as the contract lists them. */
const STATUS_OF: Record<string, number> = {
  'invalid-request': 400, 'idempotency-key-required': 400, 'invalid-credentials': 401, 'session-invalid': 401, 'session-origin-unavailable': 401, 'not-found': 404, 'payee-unknown': 404, 'transfer-final': 409, 'identifier-taken': 409,
  'idempotency-key-reused': 409, 'precondition-failed': 412, 'body-too-large': 413, 'unsupported-media-type': 415, 'weak-password': 422, 'insufficient-funds': 422,
  'too-many-attempts': 429, 'home-unavailable': 503, 'outcome-unknown': 503, unavailable: 503, overloaded: 503,
};

/** What one operation answers, for the published OpenAPI document; test/regions/openapi.spec.ts compares it with the service. */
export interface Answers {
  readonly status: number;
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Where it may be taken and done later, which answers 202 with the same schema. */
  readonly queued?: string;
  readonly problems: readonly string[];
  /** Whether it takes a session; `ending` for calls that are taken where the session itself can't be checked. */
  readonly session?: boolean | 'ending';
  readonly account?: boolean;
  readonly write?: boolean;
  readonly etag?: boolean;
  readonly idempotent?: boolean | 'required';
}

/** Documents an operation: its answer, its headers and each problem that the contract lists for it. */
export function Documented(answers: Answers): MethodDecorator {
  const problems = [...answers.problems, ...(answers.session ? ['session-invalid'] : []), ...(answers.session === true ? ['session-origin-unavailable'] : [])];
  const headers = { ...HEADERS, ...(answers.account ? ACCOUNT_HEADERS : {}), ...(answers.write ? WRITE_HEADERS : {}), ...(answers.etag ? ETAG : {}) };
  const statuses = [...new Set(problems.map((slug) => STATUS_OF[slug]!))].sort();
  const content = answers.schema ? { content: { 'application/json': { schema: published(answers.schema) } } } : {};
  const decorators = [
    ApiResponse({ status: answers.status, description: answers.description, headers, ...content }),
    ...(answers.queued === undefined ? [] : [ApiResponse({ status: 202, description: answers.queued, headers: { ...headers, ...LOCATION }, ...content })]),
    ...statuses.map((status) => ApiResponse({
      status, description: typesOf(problems, status).join(', '),
      headers: status === 503 || status === 429 ? { ...HEADERS, 'Retry-After': { schema: { type: 'integer' as const } } } : HEADERS,
      content: { 'application/problem+json': { schema: published(problemAnswer.extend({ type: z.enum(typesOf(problems, status)), status: z.literal(status) })) } },
    })),
  ];
  if (answers.session) decorators.push(ApiBearerAuth('session'));
  if (answers.account) decorators.push(ApiHeader({ name: 'Homeward-Consistency', required: false, description: 'The newest token that a write answered' }));
  if (answers.idempotent) decorators.push(ApiHeader({ name: 'Idempotency-Key', required: answers.idempotent === 'required', schema: { type: 'string', minLength: 1, maxLength: 128 } }));
  return applyDecorators(...decorators);
}

/** The problems of a status, as their `type` says. */
function typesOf(problems: readonly string[], status: number): string[] {
  return problems.filter((slug) => STATUS_OF[slug] === status).map((slug) => `urn:homeward:problem:${slug}`);
}

/** A schema as OpenAPI 3.1 takes it: JSON Schema 2020-12. */
export function published(schema: z.ZodType): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return json;
}
