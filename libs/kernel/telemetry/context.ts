import { AsyncLocalStorage } from 'node:async_hooks';

/** What every log line and every call to a peer carries on behalf of the request that caused it. */
interface RequestContext {
  readonly requestId: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `fn` and all that it starts with this request id. */
export function withRequestId<T>(requestId: string, fn: () => T): T {
  return storage.run({ requestId }, fn);
}

/** The id of the request that this code runs for; undefined in background work. */
export function currentRequestId(): string | undefined {
  return storage.getStore()?.requestId;
}
