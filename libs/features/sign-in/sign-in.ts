import type { HashOptions, HashQueue } from '#adapters/hashing';
import type { Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import { limits } from '#kernel/config';
import type { ConsistencyVersions } from '#kernel/ids';
import { HomeUnavailableError, InvalidCredentialsError, OverloadedError } from '#kernel/problems';
import type { Logger } from '#kernel/telemetry';
import { type AccountView, type CredentialReader, type Credentials, type SecondReadAnswer, canonicalPassword, isConsistent, keepAccount } from '../accounts/index.js';
import type { Attempts, SecondReadBudget } from '../attempts/index.js';
import type { SetPassword } from '../passwords/index.js';
import type { Routes } from '../routes/index.js';
import { type CreateSession, SupersededError } from '../sessions/index.js';
import { type ChannelView, isFresh } from './freshness.js';

/** A sign-in as asked here. */
export interface SignInRequest {
  /** Normalised. */
  readonly identifier: string;
  readonly password: string;
  /** The client's address. */
  readonly address: string;
  readonly token?: ConsistencyVersions;
}

export interface SignedIn {
  readonly token: string;
  readonly expiresAt: string;
  readonly assurance: 'full' | 'local';
  readonly account: AccountView;
  readonly read: 'local' | 'second';
}

/** Everything that sign-in calls. */
export interface SignInParts {
  readonly own: string;
  readonly reader: CredentialReader;
  readonly routes: Routes;
  readonly hashing: HashQueue;
  readonly peers: Peers;
  readonly database: Database;
  readonly attempts: Attempts;
  readonly secondReads: SecondReadBudget;
  readonly sessions: CreateSession;
  readonly passwords: SetPassword;
  readonly channels: ChannelView;
  readonly logger: Logger;
}

/** Whose word a proof rests on: `home` answered for it, or what is known here was all there was. */
interface Proof {
  readonly credentials: Credentials;
  readonly by: 'home' | 'here';
}

/** A password change or sign-out that meets a sign-in makes it look again, at most so often. */
const ROUNDS = 3;

/**
 * Sign-in in any region (design, rule 8; contract, "What works when"). Right here is right; wrong is only said by the
 * home or after its word; what can't be told is `home-unavailable`, whether the account is known or not.
 *
 * One hash comes first on every way, before anybody is asked and before any budget is looked at: whatever refuses a
 * sign-in, a full queue, a spent budget, a cut or the home's word, it does so after the same work for an account that is
 * known and for one that nobody has (test/faults/abuse/oracles.ts). It also makes hashing the gate before the peer.
 */
export class SignIn {
  constructor(private readonly parts: SignInParts) {}

  /** @throws InvalidCredentialsError, TooManyAttemptsError, HomeUnavailableError, OverloadedError, UnavailableError('redis' before all else) */
  async signIn(request: SignInRequest): Promise<SignedIn> {
    this.parts.sessions.mustBePossible();
    const { hashing, attempts } = this.parts;
    return attempts.guard({ identifier: request.identifier, address: request.address }, (known) =>
      this.enter({ ...request, password: canonicalPassword(request.password) }, { preferred: known, untilMs: hashing.budget() }));
  }

  private async enter(request: SignInRequest, lane: HashOptions): Promise<SignedIn> {
    for (let round = 0; round < ROUNDS; round += 1) {
      const proof = await this.prove(request, lane);
      try {
        return await this.openSession(proof);
      } catch (error) {
        if (!(error instanceof SupersededError)) throw error;
      }
    }
    throw new OverloadedError('The credentials of this account are changing');
  }

  private async prove(request: SignInRequest, lane: HashOptions): Promise<Proof> {
    const here = await this.parts.reader.byIdentifier(request.identifier);
    const home = here?.account.home ?? this.parts.routes.route(request.identifier).home;
    if (home === this.parts.own) return this.proveAtHome(here, request, lane);
    const trusted = here !== undefined && isTrusted(here, request.token) ? here : undefined;
    if (await this.verify(trusted?.password!.hash, request.password, lane)) return { credentials: trusted!, by: 'here' };
    return this.proveByHome(home, trusted?.password!.hash, request, lane);
  }

  private async proveAtHome(here: Credentials | undefined, { password }: SignInRequest, lane: HashOptions): Promise<Proof> {
    if (!(await this.verify(here?.password?.hash, password, lane))) throw new InvalidCredentialsError();
    void this.parts.passwords.rehash(here!, password).catch((error: unknown) =>
      this.parts.logger.warn({ err: error, account: here!.account.id }, 'a password hash could not be upgraded; the next sign-in tries again'));
    return { credentials: here!, by: 'home' };
  }

  /**
   * The second read: the home's word on this identifier, its password used once and not kept.
   * @param refuted the hash that is known here and did not match
   */
  private async proveByHome(home: string, refuted: string | undefined, { identifier, password, address }: SignInRequest, lane: HashOptions): Promise<Proof> {
    const answer = await this.secondRead(home, identifier, address);
    // Unproven is not wrong.
    if (answer === undefined) throw new HomeUnavailableError(home);
    const credentials = answer.known ? answer.credentials : undefined;
    if (credentials !== undefined) await this.keep(credentials, home);
    const hash = credentials?.password?.hash;
    const right = hash !== undefined && hash !== refuted && (await this.verify(hash, password, lane));
    if (!right) throw new InvalidCredentialsError();
    // Everybody may have been signed out here without the home knowing yet: the session is made after that.
    const here = await this.parts.reader.byIdentifier(identifier);
    return { credentials: { ...credentials!, counters: highest(credentials!.counters, here?.counters ?? {}) }, by: 'home' };
  }

  /** @returns undefined where the home could not be asked: unreachable, or no answer within the budget */
  private async secondRead(home: string, identifier: string, address: string): Promise<SecondReadAnswer | undefined> {
    const peer = this.parts.peers.find(home);
    if (peer === undefined || !peer.reachable('read')) return undefined;
    const release = this.parts.secondReads.take({ identifier, address, peer: home });
    try {
      const outcome = await peer.call<SecondReadAnswer>('read', '/peer/v1/credentials', { identifier }, limits.readBudgetMs);
      return outcome.kind === 'answered' && outcome.status === 200 ? outcome.body : undefined;
    } finally {
      release();
    }
  }

  private async keep({ account }: Credentials, home: string): Promise<void> {
    if (!isConsistent(account, home)) throw new HomeUnavailableError(home);
    await keepAccount(this.parts.database, account).catch((error: unknown) =>
      this.parts.logger.warn({ err: error, account: account.id }, 'an account from a second read could not be kept; it comes over Kafka'));
  }

  private verify(hash: string | undefined, password: string, lane: HashOptions): Promise<boolean> {
    const { hashing } = this.parts;
    return hash === undefined ? hashing.verifyAgainstNothing(password, lane) : hashing.verify(hash, password, lane);
  }

  private async openSession({ credentials, by }: Proof): Promise<SignedIn> {
    const { account, password, counters } = credentials;
    const { id, identifier, home } = account;
    const session = await this.parts.sessions.create({ account: id, identifier, home, epoch: password!.epoch, counters });
    const full = by === 'home' || isFresh(this.parts.channels, home);
    return { token: session.token, expiresAt: session.expiresAt, assurance: full ? 'full' : 'local', account: { id, identifier, home }, read: by === 'home' && home !== this.parts.own ? 'second' : 'local' };
  }
}

/** Whether the password row here may decide: it is here, no newer epoch is known, and the client has not seen a newer one. */
function isTrusted({ account, password, epoch }: Credentials, token: ConsistencyVersions | undefined): boolean {
  if (password === undefined || password.epoch < epoch) return false;
  const seen = token?.account === account.id ? (token.versions.password?.[account.home] ?? 0) : 0;
  return password.version >= seen;
}

function highest(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  return Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((region) => [region, Math.max(a[region] ?? 0, b[region] ?? 0)]));
}
