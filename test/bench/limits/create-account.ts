import type { HashQueue } from '#adapters/hashing';
import type { Database, Statement } from '#adapters/postgres';
import { CreateAccount } from '#features/accounts';
import type { Clock } from '#kernel/clock';

/** The product's statement that creates an account, with the values of one registration. */
export interface Captured {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** Lets the product's own code make the statement, and keeps it in place of running it. */
export async function captureCreateAccount(region: string, identifier: string, hash: string): Promise<Captured> {
  let captured: Captured | undefined;
  const recorder = {
    reserve: { mustHaveRoom: () => undefined },
    query: async () => [],
    write: async (statement: Statement, values: unknown[]) => {
      captured = { statement, values };
      return [{}];
    },
  };
  const hashing = { budget: () => Infinity, hash: async () => hash };
  const clock = { wallMs: () => Date.now() };
  const creating = new CreateAccount(recorder as unknown as Database, hashing as unknown as HashQueue, clock as unknown as Clock, { region, minPasswordLength: 8 }, () => undefined);
  await creating.create({ identifier, password: 'a password of the bench' }, () => true);
  return captured!;
}
