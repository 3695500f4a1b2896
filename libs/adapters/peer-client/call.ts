import type { Agent } from 'node:https';
import type { TLSSocket } from 'node:tls';
import axios, { type AxiosInstance, isAxiosError } from 'axios';
import type { PeerOutcome } from './outcome.js';

/** Largest answer taken from a peer: a page of 500 events with room to spare. */
const ANSWER_BYTES = 8 * 1_024 * 1_024;

/** One call, ready to be sent. */
export interface PeerCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers: Record<string, string>;
}

/** One axios instance per peer; `agent` carries the region's certificate and checks the peer's name. */
export function peerInstance(baseURL: string, agent: Agent): AxiosInstance {
  return axios.create({
    baseURL,
    httpsAgent: agent,
    // Without redirects axios uses Node's own request, whose socket tells whether anything was sent.
    maxRedirects: 0,
    maxContentLength: ANSWER_BYTES,
    proxy: false,
    validateStatus: () => true,
  });
}

/**
 * Sends `call` once, or twice where a pooled connection turned out dead before it answered: such a connection died in
 * a cut, its request never arrived or is idempotent by its key (recovery, "HTTP between regions").
 * @param budgetMs what all attempts together may take
 */
export async function send<T>(instance: AxiosInstance, call: PeerCall, budgetMs: number): Promise<PeerOutcome<T>> {
  const startedMs = performance.now();
  const first = await attempt<T>(instance, call, budgetMs);
  if (!first.retry) return first.outcome;
  const leftMs = budgetMs - (performance.now() - startedMs);
  if (leftMs <= 0) return first.outcome;
  const second = await attempt<T>(instance, call, leftMs);
  const sentBefore = first.outcome.kind === 'unknown' && second.outcome.kind === 'not-sent';
  return sentBefore ? first.outcome : second.outcome;
}

interface Attempt<T> {
  readonly outcome: PeerOutcome<T>;
  readonly retry: boolean;
}

async function attempt<T>(instance: AxiosInstance, call: PeerCall, budgetMs: number): Promise<Attempt<T>> {
  try {
    const answer = await instance.request<T>({
      method: call.method,
      url: call.path,
      data: call.body,
      headers: call.headers,
      // The signal also ends a connection attempt that hangs, which axios' own timeout misses (parts).
      signal: AbortSignal.timeout(Math.max(1, Math.floor(budgetMs))),
      timeout: Math.max(1, Math.floor(budgetMs)),
    });
    return { outcome: { kind: 'answered', status: answer.status, body: answer.data }, retry: false };
  } catch (error) {
    return whatFailed<T>(error);
  }
}

/** Until the handshake is over nothing of the request has left this region: certainly not done. */
function whatFailed<T>(error: unknown): Attempt<T> {
  if (!isAxiosError(error)) return { outcome: { kind: 'unknown', why: String(error) }, retry: false };
  const request = error.request as { socket?: TLSSocket & { secureConnecting?: boolean }; reusedSocket?: boolean } | undefined;
  const socket = request?.socket;
  const why = error.code ?? error.message;
  const handshaken = socket !== undefined && socket !== null && !socket.connecting && socket.secureConnecting !== true;
  if (!handshaken) return { outcome: { kind: 'not-sent', why }, retry: false };
  const reset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
  return { outcome: { kind: 'unknown', why }, retry: reset && request?.reusedSocket === true };
}
