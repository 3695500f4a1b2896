import type { Clock } from '#kernel/clock';
import { SessionInvalidError, SessionOriginUnavailableError } from '#kernel/problems';
import { sessionStillGood } from './decide.js';
import type { KnownEndings } from './known-endings.js';
import type { OriginSession, SessionPeers } from './peers.js';
import type { SessionFeeder } from './session-feeder.js';
import { ENDING_SLACK_MS, type SessionStore } from './session-store.js';
import { CheckedSession, ENDED, type SessionAnswer, factsOf, textOf } from './session-text.js';
import type { ReadToken, TokenReader } from './token-reader.js';

/** Longest life of an origin read's cached answer: below the contract's 5 s, to leave the origin time to hear of a sign-out. */
const CACHE_MS = 4_500;

/** Tells whether a token stands for a living session: one Redis key in the region that made it, an origin read elsewhere. */
export class CheckSession {
  constructor(
    private readonly own: string,
    /** A session's life in ms. */
    private readonly lifeMs: number,
    private readonly clock: Pick<Clock, 'wallMs'>,
    private readonly tokens: TokenReader,
    private readonly store: SessionStore,
    private readonly feeder: Pick<SessionFeeder, 'mustCompare'>,
    private readonly known: KnownEndings,
    private readonly peers: SessionPeers,
  ) {}

  /**
   * @param token as the client sent it
   * @throws SessionInvalidError, SessionOriginUnavailableError; UnavailableError('redis'); DatabaseUnavailableError where
   * Redis can not be believed alone
   */
  async check(token: string): Promise<CheckedSession> {
    const id = this.tokens.parse(token);
    if (id === undefined) throw new SessionInvalidError();
    const text = await this.store.read(id.hashB64);
    if (text === ENDED) throw new SessionInvalidError();
    if (text === null) {
      if (id.region === this.own || this.expired(id)) throw new SessionInvalidError();
      return this.readOrigin(id);
    }
    if (this.feeder.mustCompare()) await this.compare(id, text);
    return new CheckedSession(id, id.region === this.own ? 'local' : 'cache', text);
  }

  /** Whether its id says that it has expired, whatever region's clock is right: its origin need not be asked. */
  private expired(id: ReadToken): boolean {
    return id.createdAtMs + this.lifeMs + ENDING_SLACK_MS < this.clock.wallMs();
  }

  private async compare(id: ReadToken, text: string): Promise<void> {
    const known = await this.known.ofSession(id.account, id.hash);
    if (!sessionStillGood(factsOf(text, id.hashB64), known)) throw new SessionInvalidError();
  }

  /** What is known here decides before and after the origin's answer: an origin that was cut off may vouch for what has ended. */
  private async readOrigin(id: ReadToken): Promise<CheckedSession> {
    if ((await this.known.ofSession(id.account, id.hash)).ended) throw new SessionInvalidError();
    const answer = await this.peers.read(id.region, id.hashB64);
    if (answer.outcome === 'unreachable') throw new SessionOriginUnavailableError(id.region, id.account);
    if (answer.outcome === 'missing' || !isOf(id, answer.session)) throw new SessionInvalidError();
    const text = textOf(answer.session);
    await this.compare(id, text);
    const { outcome } = await this.store.add(id.account, id.hashB64, answer.session, Math.min(CACHE_MS, answer.session.remainingMs));
    if (outcome === 'ended' || outcome === 'out-counted') throw new SessionInvalidError();
    return new CheckedSession(id, 'origin', text);
  }
}

/** A region vouches only for sessions that it made, and only for the account that the token itself names (design, "Trust"). */
function isOf(id: ReadToken, session: OriginSession): boolean {
  try {
    const { origin, account } = JSON.parse(session.answer) as SessionAnswer;
    return origin === id.region && account.id === id.account && account.home === session.home && session.remainingMs >= 1;
  } catch {
    return false;
  }
}
