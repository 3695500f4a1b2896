import type { StreamEffect } from '#adapters/kafka';
import type { Transaction } from '#adapters/postgres';
import type { StreamMessage } from '#kernel/wire';

/** One credential epoch: which passwords and sessions of an account have ended. */
export interface Epoch {
  readonly account: string;
  readonly epoch: number;
  /** base64url hash of the session that goes on. */
  readonly keep?: string;
}

const RAISE = {
  name: 'raise-epochs',
  text: `
  WITH incoming AS (
    SELECT DISTINCT ON (account) account, epoch, keep FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS given (account, epoch, keep)
    ORDER BY account, epoch DESC),
  raised AS (
    INSERT INTO credential_epoch AS known (account, epoch, keep_session) SELECT account, epoch, keep FROM incoming
    ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, keep_session = excluded.keep_session WHERE known.epoch < excluded.epoch
    RETURNING account)
  INSERT INTO redis_pending (account) SELECT account FROM raised`,
};

/** Raises epochs, never lowers one, and leaves a redis_pending row for each (design, "Sessions, exactly"). */
export async function raiseEpochs(tx: Pick<Transaction, 'query'>, epochs: readonly Epoch[]): Promise<void> {
  const keeps = epochs.map(({ keep }) => (keep === undefined ? null : Buffer.from(keep, 'base64url')));
  await tx.query(RAISE, [epochs.map(({ account }) => account), epochs.map(({ epoch }) => epoch), keeps]);
}

/** The epochs stream's effect. An epoch is the highest one seen, so none is ever held up by an earlier one (design, rule 4). */
export class EpochEffect implements StreamEffect {
  readonly stream = 'epochs';
  readonly followsDeadLetters = false;

  constructor(private readonly raised: () => void) {}

  async applyBatch(tx: Transaction, messages: readonly StreamMessage[]): Promise<void> {
    await raiseEpochs(tx, messages.map(({ payload }) => payload as unknown as Epoch));
  }

  applied(): void {
    this.raised();
  }
}
