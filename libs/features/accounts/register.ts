import type { Database } from '#adapters/postgres';
import { type Peers, forwardWrite } from '#adapters/peer-client';
import { newId } from '#kernel/ids';
import { HomeUnavailableError, OutcomeUnknownError } from '#kernel/problems';
import type { Logger } from '#kernel/telemetry';
import { applyPatch, mergeProfiles } from '../profiles/index.js';
import type { Routes } from '../routes/index.js';
import type { Account } from './account.js';
import type { CreateAccount, Registered, Registration } from './create-account.js';
import { isConsistent, keepAccount } from './keep-account.js';
import { checkPassword } from './password-rules.js';

/** Registration as a client asks for it, in any region: decided at the home, kept here at once. */
export class Register {
  constructor(
    private readonly own: { region: string; minPasswordLength: number },
    private readonly routes: Routes,
    private readonly createAccount: CreateAccount,
    private readonly peers: Peers,
    private readonly database: Database,
    private readonly logger: Logger,
  ) {}

  /**
   * @param asked with a normalised identifier; `key` is the client's own
   * @throws what CreateAccount throws; HomeUnavailableError (certainly not done), OutcomeUnknownError
   */
  async register(asked: Registration): Promise<Registered & { read: 'local' | 'second' }> {
    const { slot, home } = this.routes.route(asked.identifier);
    if (this.routes.disputed(slot)) throw new HomeUnavailableError(home);
    const key = asked.key === undefined ? undefined : `client:${asked.key}`;
    if (home === this.own.region) return { ...(await this.createAccount.create({ ...asked, key }, () => true)), read: 'local' };
    this.refuseWhatNoHomeTakes(asked);
    // Without the client's key the retry of a dead connection still has to be the same registration.
    const write = key === undefined ? undefined : `register:${asked.identifier}:${key}`;
    return { ...(await this.forward(home, { ...asked, key: key ?? `forward:${newId()}` }, write)), read: 'second' };
  }

  /** What is wrong wherever it is decided is refused here, and nothing is sent (test/regions/bad-input.spec.ts). */
  private refuseWhatNoHomeTakes({ identifier, password, profile }: Registration): void {
    checkPassword(password, identifier, this.own.minPasswordLength);
    if (profile !== undefined) applyPatch({}, mergeProfiles([]), profile, 0);
  }

  private async forward(home: string, registration: Registration, write: string | undefined): Promise<Registered> {
    const answer = await forwardWrite<{ account: Account; created: boolean }>(this.peers, home, '/peer/v1/accounts', (deadline) => ({ ...registration, deadline }), write);
    if (!isConsistent(answer.account, home)) throw new OutcomeUnknownError(home);
    await keepAccount(this.database, answer.account).catch((error: unknown) =>
      this.logger.warn({ err: error, account: answer.account.id }, 'a registered account could not be kept here yet; it comes over Kafka'));
    return answer;
  }
}
