import type { StreamEffect } from '#adapters/kafka';
import type { Transaction } from '#adapters/postgres';
import { slotOf } from '#kernel/routing';
import type { StreamMessage } from '#kernel/wire';
import type { Account } from './account.js';
import { keepAccounts } from './keep-account.js';

/** The accounts stream's effect: copies of accounts are kept, batch by batch. */
export class AccountEffect implements StreamEffect {
  readonly stream = 'accounts';
  /** An account is created once, so a later message of its key is a repetition and waits with the first. */
  readonly followsDeadLetters = true;

  /** @throws Error for an account whose home is not its writer */
  async applyBatch(tx: Transaction, messages: readonly StreamMessage[]): Promise<void> {
    const accounts = messages.map(toAccount);
    await keepAccounts(tx, messages[0]!.writer, accounts);
  }
}

function toAccount(message: StreamMessage): Account {
  const { id, identifier, normalization, home, createdAt } = message.payload as Omit<Account, 'slot'>;
  const account = { id, identifier, normalization, slot: slotOf(identifier), home, createdAt };
  if (home !== message.writer) throw new Error(`the account's home is ${home}, but ${message.writer} sent it`);
  return account;
}
