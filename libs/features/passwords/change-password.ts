import { type Peers, forwardWrite } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import { newId } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';
import { checkPassword } from '../accounts/index.js';
import type { Attempts } from '../attempts/index.js';
import { raiseEpochs } from './epoch-effect.js';
import type { PasswordChange, PasswordChanged, SetPassword } from './set-password.js';

/** A change of password as a client asks for it, in any region: decided at the home, its epoch kept here at once. */
export class ChangePassword {
  constructor(
    private readonly own: { region: string; minPasswordLength: number },
    private readonly setPassword: SetPassword,
    private readonly peers: Peers,
    private readonly database: Database,
    private readonly attempts: Attempts,
    private readonly raised: () => Promise<void>,
    private readonly logger: Logger,
  ) {}

  /**
   * A wrong current password is an attempt like a sign-in's.
   * A next one that no home takes is refused here, and nothing is sent (test/regions/bad-input.spec.ts).
   * @throws what SetPassword throws; TooManyAttemptsError; HomeUnavailableError (certainly not done), OutcomeUnknownError
   */
  async change(asked: PasswordChange, by: { home: string; identifier: string; address: string }): Promise<PasswordChanged> {
    checkPassword(asked.next, by.identifier, this.own.minPasswordLength);
    return this.attempts.guard({ identifier: by.identifier, address: by.address }, () => this.changeAt(by.home, asked));
  }

  private async changeAt(home: string, asked: PasswordChange): Promise<PasswordChanged> {
    const key = asked.key === undefined ? undefined : `client:${asked.key}`;
    if (home === this.own.region) {
      const changed = await this.setPassword.change({ ...asked, key }, () => true);
      await this.raised();
      return changed;
    }
    const forwarded = { ...asked, key: key ?? `forward:${newId()}` };
    const write = key === undefined ? undefined : `password:${asked.account}:${key}`;
    const changed = await forwardWrite<PasswordChanged>(this.peers, home, '/peer/v1/passwords', (deadline) => ({ ...forwarded, deadline }), write);
    await this.keepEpoch(asked, changed);
    return changed;
  }

  /** The asking region need not wait for Kafka to end the other sessions here. */
  private async keepEpoch({ account, session }: PasswordChange, { epoch }: PasswordChanged): Promise<void> {
    try {
      await this.database.transact((tx) => raiseEpochs(tx, [{ account, epoch, keep: session.hash }]));
      await this.raised();
    } catch (error) {
      this.logger.warn({ err: error, account }, 'a credential epoch could not be kept here yet; it comes over Kafka');
    }
  }
}
