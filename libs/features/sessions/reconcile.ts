import { sessionStillGood } from './decide.js';
import type { KnownEndings } from './known-endings.js';
import type { SessionStore } from './session-store.js';
import { type SessionAnswer, partsOf } from './session-text.js';

/** A page at a time, so that the scan never holds more than a few hundred sessions. */
interface Page {
  readonly hashB64: string;
  readonly account: string;
  readonly epoch: number;
  readonly counters: Record<string, number>;
}

/**
 * Compares every session in Redis with PostgreSQL, ends those that are not good any more and raises their accounts: what a
 * server needs that came back with an old state (faults, 27 and 39). A session added meanwhile was compared by its maker.
 * @param giveUp asked before each page
 * @returns counts, or undefined when it gave up
 * @throws UnavailableError, DatabaseUnavailableError
 */
export async function reconcile(store: SessionStore, known: KnownEndings, giveUp: () => boolean): Promise<{ compared: number; ended: number } | undefined> {
  let cursor = '0';
  let compared = 0;
  let ended = 0;
  do {
    if (giveUp()) return undefined;
    const { next, sessions } = await store.scan(cursor);
    cursor = next;
    compared += sessions.length;
    if (sessions.length > 0) ended += await comparePage(store, known, sessions.map(pageOf));
  } while (cursor !== '0');
  return { compared, ended };
}

async function comparePage(store: SessionStore, known: KnownEndings, page: Page[]): Promise<number> {
  const accounts = [...new Set(page.map(({ account }) => account))];
  const [raised, signedOut] = await Promise.all([known.ofAccounts(accounts), known.endedAmong(page.map(({ hashB64 }) => hashB64))]);
  const bad = page.filter((session) => !sessionStillGood(session, { ...raised.get(session.account)!, ended: signedOut.has(session.hashB64) }));
  const raisedAtAll = [...raised].filter(([, { epoch, counters }]) => epoch > 1 || Object.keys(counters).length > 0);
  await Promise.all([
    ...bad.map(({ hashB64 }) => store.end(hashB64, 0)),
    ...raisedAtAll.map(([account, what]) => store.raise(account, what)),
  ]);
  return bad.length;
}

function pageOf({ hashB64, text }: { hashB64: string; text: string }): Page {
  const { epoch, counters, answer } = partsOf(text);
  return { hashB64, epoch, counters, account: (JSON.parse(answer) as SessionAnswer).account.id };
}
