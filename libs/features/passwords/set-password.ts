import type { HashQueue } from '#adapters/hashing';
import { type Database, KEEP_ANSWER, REPLACE_EXPIRED, findAnswer, requestDigest } from '#adapters/postgres';
import { hashedId } from '#kernel/ids';
import { HomeUnavailableError, IdempotencyKeyReusedError, InvalidCredentialsError, OverloadedError, SessionInvalidError } from '#kernel/problems';
import { partitionOf } from '#kernel/routing';
import { PARTITIONS, WIRE_VERSION } from '#kernel/wire';
import { type CredentialReader, type Credentials, canonicalPassword, checkPassword } from '../accounts/index.js';
import { notificationId } from '../notices/index.js';

/** A change of password as it reaches the home; the session's hash and epoch are the asking region's evidence. */
export interface PasswordChange {
  readonly account: string;
  readonly current: string;
  readonly next: string;
  /** base64url hash of the asking session, which goes on, and the epoch it was made under. */
  readonly session: { readonly hash: string; readonly epoch: number };
  readonly key?: string;
}

/** Both passwords, canonical, and by when everything that is hashed for the change must be over. */
interface Given {
  readonly current: string;
  readonly next: string;
  readonly untilMs: number;
}

/** The epoch and row version in force after the change. */
export interface PasswordChanged {
  readonly epoch: number;
  readonly version: number;
  readonly home: string;
}

const CHANGE = {
  name: 'change-password',
  text: `
  WITH changed AS (
    UPDATE password SET hash = $3, epoch = next_version(epoch), keep_session = $4, version = next_version(version), changed_at = clock_timestamp()
    WHERE region = $1 AND account = $2 AND version = $5 RETURNING epoch, version),
  epoch_row AS (
    INSERT INTO credential_epoch (account, epoch, keep_session) SELECT $2, epoch, $4 FROM changed
    ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, keep_session = excluded.keep_session),
  pending AS (INSERT INTO redis_pending (account) SELECT $2 FROM changed),
  event AS (
    INSERT INTO outbox (stream, partition, version, key, payload)
    SELECT 'epochs', $6, $7, $2, jsonb_build_object('account', $2::uuid, 'epoch', epoch, 'keep', $8::text) FROM changed),
  told AS (
    INSERT INTO notification (region, slot, id, account, kind, subject, body, created_at)
    SELECT $1, $13, $14, $2, $15, $16, '{}', date_trunc('milliseconds', clock_timestamp()) FROM changed ON CONFLICT DO NOTHING),
  kept_answer AS (
    ${KEEP_ANSWER} SELECT $9, $10, $11, ARRAY[$12, $3], jsonb_build_object('epoch', epoch, 'version', version) FROM changed
    WHERE $10::text IS NOT NULL ${REPLACE_EXPIRED})
  SELECT epoch, version FROM changed`,
};
const REHASH = { name: 'rehash-password', text: 'UPDATE password SET hash = $3, version = next_version(version) WHERE region = $1 AND account = $2 AND version = $4' };

const CHANGED = 'password-changed';

/** Changes that meet another one of the same account start over, at most so often. */
const ROUNDS = 4;

/** The home's side of a password change: the old password and all sessions but the asking one end with one transaction. */
export class SetPassword {
  constructor(
    private readonly own: { region: string; minPasswordLength: number },
    private readonly database: Database,
    private readonly reader: CredentialReader,
    private readonly hashing: HashQueue,
    private readonly committed: (partition: number) => void,
  ) {}

  /**
   * @param mayStillHappen false once the caller's deadline has passed
   * @throws InvalidCredentialsError, WeakPasswordError, SessionInvalidError, IdempotencyKeyReusedError, OverloadedError,
   * HomeUnavailableError past the deadline, DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async change(asked: PasswordChange, mayStillHappen: () => boolean): Promise<PasswordChanged> {
    const current = canonicalPassword(asked.current);
    const next = canonicalPassword(asked.next);
    const untilMs = this.hashing.budget();
    const earlier = await this.firstAnswer(asked, { current, next, untilMs });
    if (earlier) return earlier;
    this.database.reserve.mustHaveRoom();
    for (let round = 0; round < ROUNDS; round += 1) {
      const known = await this.reader.byAccount(asked.account);
      if (known?.password === undefined || known.account.home !== this.own.region) throw new SessionInvalidError();
      const changed = await this.attempt(asked, known, { current, next, untilMs }, mayStillHappen);
      if (changed) return changed;
    }
    throw new OverloadedError('This account is being changed by others at the same time');
  }

  /** Upgrades a hash of weaker parameters after a sign-in; does nothing where the password changed meanwhile. */
  async rehash(known: Credentials, password: string): Promise<void> {
    if (!this.hashing.needsRehash(known.password!.hash)) return;
    this.database.reserve.mustHaveRoom();
    const hash = await this.hashing.hash(canonicalPassword(password));
    await this.database.write(REHASH, [this.own.region, known.account.id, hash, known.password!.version]);
  }

  /** @returns undefined where another change came first and everything has to be looked at again */
  private async attempt(asked: PasswordChange, known: Credentials, given: Given, mayStillHappen: () => boolean): Promise<PasswordChanged | undefined> {
    const { session, account } = asked;
    const row = known.password!;
    const byKeptSession = row.keep === session.hash;
    const hashing = { preferred: true, untilMs: given.untilMs };
    if (session.epoch < row.epoch && !byKeptSession) throw new SessionInvalidError();
    if (!(await this.hashing.verify(row.hash, given.current, hashing))) {
      // Repeated after it was done (contract): this session changed it last, and to the very password that is asked for.
      if (byKeptSession && (await this.hashing.verify(row.hash, given.next, hashing))) return { epoch: row.epoch, version: row.version, home: this.own.region };
      throw new InvalidCredentialsError('The current password is wrong');
    }
    checkPassword(asked.next, known.account.identifier, this.own.minPasswordLength);
    const hash = await this.hashing.hash(given.next, hashing);
    if (!mayStillHappen()) throw new HomeUnavailableError(this.own.region);
    const partition = partitionOf(account, PARTITIONS);
    // The change to the next epoch is told of, once.
    const subject = hashedId('password', account, row.epoch + 1);
    const [changed] = await this.database.write<{ epoch: string; version: string }>(CHANGE, [
      this.own.region, account, hash, Buffer.from(session.hash, 'base64url'), row.version, partition, WIRE_VERSION, session.hash,
      scopeOf(account), asked.key ?? null, requestDigest({}), row.hash, known.account.slot, notificationId(CHANGED, account, subject), CHANGED, subject,
    ]);
    if (changed === undefined) return undefined;
    this.committed(partition);
    return { epoch: Number(changed.epoch), version: Number(changed.version), home: this.own.region };
  }

  private async firstAnswer(asked: PasswordChange, { current, next, untilMs }: Given): Promise<PasswordChanged | undefined> {
    if (asked.key === undefined) return undefined;
    const kept = await findAnswer<{ epoch: number; version: number }>(this.database, scopeOf(asked.account), asked.key);
    if (kept === undefined) return undefined;
    const same = (await this.hashing.verify(kept.secrets[0]!, current, { untilMs })) && (await this.hashing.verify(kept.secrets[1]!, next, { untilMs }));
    if (!same) throw new IdempotencyKeyReusedError();
    return { ...kept.answer, home: this.own.region };
  }
}

function scopeOf(account: string): string {
  return `password:${account}`;
}
