import { createHash } from 'node:crypto';
import { DatabaseUnavailableError, type Database, KEEP_ANSWER, REPLACE_EXPIRED, findAnswer, isStatementError, requestDigest } from '#adapters/postgres';
import type { HashQueue } from '#adapters/hashing';
import { type Clock, nextStamp } from '#kernel/clock';
import { newId } from '#kernel/ids';
import { HomeUnavailableError, IdempotencyKeyReusedError, IdentifierTakenError } from '#kernel/problems';
import { NORMALIZATION_VERSION, partitionOf, slotOf } from '#kernel/routing';
import { PARTITIONS, WIRE_VERSION } from '#kernel/wire';
import { applyPatch, mergeProfiles, type ProfilePatch } from '../profiles/index.js';
import type { Account } from './account.js';
import { canonicalPassword, checkPassword } from './password-rules.js';

/** A registration as it reaches the home, from a client or from the region that forwarded it. */
export interface Registration {
  /** Normalised. */
  readonly identifier: string;
  readonly password: string;
  /** The profile's members as given, validated; stamped here. */
  readonly profile?: ProfilePatch;
  /** The client's Idempotency-Key behind `client:`, or one that the forwarding region made, so that its retry is the same registration. */
  readonly key?: string;
}

/** What tells a repetition; the password canonical, and by when everything that is hashed must be over. */
interface Given {
  readonly key: string | undefined;
  readonly digest: Buffer;
  readonly password: string;
  readonly untilMs: number;
}

/** What a registration came to; `created` is false for the answer to a repetition. */
export interface Registered {
  readonly account: Account;
  readonly created: boolean;
}

const CREATE = {
  name: 'create-account',
  text: `
  WITH created AS (
    INSERT INTO account (id, identifier, normalization, slot, home, created_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id),
  password_row AS (
    INSERT INTO password (region, slot, account, hash, epoch, version, changed_at)
    SELECT $5, $4, id, $7, 1, 1, $6 FROM created),
  epoch_row AS (INSERT INTO credential_epoch (account, epoch) SELECT id, 1 FROM created),
  profile_row AS (
    INSERT INTO profile (region, slot, account, fields, version)
    SELECT $5, $4, id, $8::jsonb, 1 FROM created WHERE $8::jsonb IS NOT NULL),
  event AS (
    INSERT INTO outbox (stream, partition, version, key, payload)
    SELECT 'accounts', $9, $10, id, $11::jsonb FROM created),
  kept_answer AS (
    ${KEEP_ANSWER} SELECT $12, $13, $14, ARRAY[$7], $11::jsonb FROM created WHERE $13::text IS NOT NULL ${REPLACE_EXPIRED})
  SELECT id FROM created`,
};

/** Registration at the home: account, password, given profile and outbox row in one transaction, once per key. */
export class CreateAccount {
  constructor(
    private readonly database: Database,
    private readonly hashing: HashQueue,
    private readonly clock: Clock,
    private readonly own: { region: string; minPasswordLength: number },
    private readonly committed: (stream: 'accounts', partition: number) => void,
  ) {}

  /**
   * @param mayStillHappen false once the caller's deadline has passed; asked again after the hashing, right before the effect
   * @throws IdentifierTakenError, IdempotencyKeyReusedError, WeakPasswordError, OverloadedError, HomeUnavailableError past
   * the deadline, DatabaseFullError, DatabaseUnavailableError, DatabaseOutcomeUnknownError
   */
  async create(registration: Registration, mayStillHappen: () => boolean): Promise<Registered> {
    const { identifier, key } = registration;
    checkPassword(registration.password, identifier, this.own.minPasswordLength);
    const password = canonicalPassword(registration.password);
    const scope = `register:${createHash('sha256').update(identifier).digest('hex')}`;
    const digest = requestDigest({ identifier, profile: registration.profile });
    const untilMs = this.hashing.budget();
    const given = { key, digest, password, untilMs };
    const earlier = await this.firstAnswer(scope, given);
    if (earlier) return { account: earlier, created: false };
    this.database.reserve.mustHaveRoom();
    await this.refuseTaken(identifier);
    const hash = await this.hashing.hash(password, { untilMs });
    if (!mayStillHappen()) throw new HomeUnavailableError(this.own.region);
    const account = this.newAccount(identifier);
    if (await this.insert(account, hash, registration, scope, digest)) {
      this.committed('accounts', partitionOf(account.id, PARTITIONS));
      return { account, created: true };
    }
    const repeated = await this.firstAnswer(scope, given);
    if (repeated) return { account: repeated, created: false };
    throw new IdentifierTakenError();
  }

  private newAccount(identifier: string): Account {
    const createdAt = new Date(this.clock.wallMs()).toISOString();
    return { id: newId(), identifier, normalization: NORMALIZATION_VERSION, slot: slotOf(identifier), home: this.own.region, createdAt };
  }

  /** Spares the hashing for an identifier that has an account; the unique index decides where two come at once. */
  private async refuseTaken(identifier: string): Promise<void> {
    const taken = await this.database.query({ name: 'account-taken', text: 'SELECT 1 FROM account WHERE identifier = $1' }, [identifier]);
    if (taken.length > 0) throw new IdentifierTakenError();
  }

  /** The account that this key made; the password is compared by its slow hash, which is all that is kept of it. */
  private async firstAnswer(scope: string, { key, digest, password, untilMs }: Given): Promise<Account | undefined> {
    if (key === undefined) return undefined;
    const kept = await findAnswer<Omit<Account, 'slot'>>(this.database, scope, key);
    if (kept === undefined) return undefined;
    const same = kept.request.equals(digest) && (await this.hashing.verify(kept.secrets[0]!, password, { untilMs }));
    if (!same) throw new IdempotencyKeyReusedError();
    return { ...kept.answer, slot: slotOf(kept.answer.identifier) };
  }

  private async insert(account: Account, hash: string, { profile, key }: Registration, scope: string, digest: Buffer): Promise<boolean> {
    const fields = profile === undefined ? null : JSON.stringify(applyPatch({}, mergeProfiles([]), profile, nextStamp(this.clock.wallMs(), undefined)));
    const { slot: _, ...payload } = account;
    try {
      const created = await this.database.write(CREATE, [
        account.id, account.identifier, account.normalization, account.slot, account.home, account.createdAt, hash, fields,
        partitionOf(account.id, PARTITIONS), WIRE_VERSION, JSON.stringify(payload), scope, key ?? null, digest,
      ]);
      return created.length === 1;
    } catch (error) {
      // Two repetitions at once under one key: the other one is first, and its answer is read by the caller.
      if (isStatementError(error) && error.code === '23505') return false;
      // A serialisation trouble is a refusal of the whole statement: nothing of it was done.
      if (isStatementError(error) && error.code.startsWith('40')) throw new DatabaseUnavailableError({ cause: error });
      throw error;
    }
  }
}
