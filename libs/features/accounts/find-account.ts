import type { Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import { limits } from '#kernel/config';
import { isUuid } from '#kernel/ids';
import { HomeUnavailableError, InvalidIdentifierError, InvalidRequestError } from '#kernel/problems';
import { normalizeIdentifier } from '#kernel/routing';
import type { Logger } from '#kernel/telemetry';
import type { Routes } from '../routes/index.js';
import { ACCOUNT_COLUMNS, type Account } from './account.js';
import { isConsistent, keepAccount } from './keep-account.js';

/** What is asked of a peer: by one of the two names that an account has. */
export type AccountQuestion = { readonly identifier: string } | { readonly account: string };
export interface AccountAnswer {
  readonly account?: Account;
}

/** Accounts remembered by id and identifier, about 4 MB: nothing of an account ever changes, so none grows stale. */
const MOST = 10_000;

const BY_ID = { name: 'account-by-id', text: `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE id = $1` };
const BY_IDENTIFIER = { name: 'account-by-identifier', text: `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE identifier = $1` };

/** Finds the account that somebody else than its owner names: here, or by asking who may know it. */
export class FindAccount {
  private remembered = new Map<string, Account>();

  constructor(
    private readonly own: string,
    private readonly database: Database,
    private readonly routes: Routes,
    private readonly peers: Peers,
    private readonly logger: Logger,
  ) {}

  /**
   * @param named an identifier as a client wrote it, or an account's id
   * @param path what to call it where it is malformed
   * @returns undefined where nobody who may have it does
   * @throws InvalidRequestError; HomeUnavailableError where it is not known here and whoever may know it can't be asked
   */
  async find(named: string, path: string): Promise<Account | undefined> {
    const id = named.trim().toLowerCase();
    const question = isUuid(id) ? { account: id } : { identifier: normalized(named, path) };
    return (await this.here(question)) ?? this.elsewhere(question);
  }

  /** What this region knows, for a peer's question too, so that it can't bounce. */
  async here(question: AccountQuestion): Promise<Account | undefined> {
    const name = 'account' in question ? question.account : question.identifier;
    const known = this.remembered.get(name);
    if (known !== undefined) return known;
    const [account] = await this.database.query<Account>('account' in question ? BY_ID : BY_IDENTIFIER, [name]);
    if (account === undefined) return undefined;
    if (this.remembered.size >= MOST) this.remembered = new Map();
    this.remembered.set(name, account);
    return account;
  }

  /** An identifier belongs to one home, which is asked; an id says nothing about its home, so every peer is. */
  private async elsewhere(question: AccountQuestion): Promise<Account | undefined> {
    const mayKnow = 'account' in question ? this.peers.all.map(({ name }) => name) : [this.routes.route(question.identifier).home];
    const asked = mayKnow.filter((region) => region !== this.own);
    const answers = await Promise.all(asked.map((region) => this.ask(region, question)));
    const account = answers.find((answer) => answer !== undefined && answer !== 'unreachable') as Account | undefined;
    if (account === undefined) {
      const silent = asked.find((_, index) => answers[index] === 'unreachable');
      if (silent !== undefined) throw new HomeUnavailableError(silent);
      return undefined;
    }
    await keepAccount(this.database, account).catch((error: unknown) =>
      this.logger.warn({ err: error, account: account.id }, 'an account could not be kept here yet; it comes over Kafka'));
    return account;
  }

  private async ask(region: string, question: AccountQuestion): Promise<Account | undefined | 'unreachable'> {
    const outcome = await this.peers.find(region)?.call<AccountAnswer>('read', '/peer/v1/accounts/find', question, limits.readBudgetMs);
    if (outcome?.kind !== 'answered' || outcome.status !== 200) return 'unreachable';
    const { account } = outcome.body;
    return account !== undefined && isConsistent(account, account.home) ? account : undefined;
  }
}

function normalized(named: string, path: string): string {
  try {
    return normalizeIdentifier(named).identifier;
  } catch (error) {
    if (error instanceof InvalidIdentifierError) throw new InvalidRequestError(error.errors.map(({ message }) => ({ path, message })));
    throw error;
  }
}
