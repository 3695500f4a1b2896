import { Agent, request } from 'undici';

/** One answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  // Tests look into many shapes of bodies; the OpenAPI spec checks the shapes themselves.
  readonly body: any;
  readonly text: string;
  readonly ms: number;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Buffer;
  readonly token?: string;
  readonly key?: string;
  readonly consistency?: string | undefined;
  readonly headers?: Record<string, string>;
  /** Longest wait for the answer, where it is not a client's call. */
  readonly deadlineMs?: number;
}

/** No answer may take longer than a write's budget and the margin of a busy machine. */
const DEADLINE_MS = 15_000;
const agent = new Agent({ keepAliveTimeout: 1_000, pipelining: 1, connections: 256 });

/** One black-box call. */
export async function call(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
  const headers: Record<string, string> = { ...options.headers };
  if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`;
  if (options.key !== undefined) headers['idempotency-key'] = options.key;
  if (options.consistency !== undefined) headers['homeward-consistency'] = options.consistency;
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  if (body !== undefined) headers['content-type'] ??= 'application/json';
  const startedMs = performance.now();
  const answer = await request(url, { method: method as 'GET', headers, body, dispatcher: agent, headersTimeout: options.deadlineMs ?? DEADLINE_MS, bodyTimeout: options.deadlineMs ?? DEADLINE_MS });
  const text = await answer.body.text();
  return { status: answer.statusCode, headers: answer.headers, text, body: parsed(text), ms: performance.now() - startedMs };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
