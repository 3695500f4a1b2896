import { type Database, base64UrlText } from '#adapters/postgres';
import { ACCOUNT_COLUMNS, type Account } from '../accounts/index.js';
import type { Epoch } from '../passwords/index.js';

/** A page of this region's own state, in order of account ids. */
export interface StatePage<T> {
  readonly items: readonly T[];
  /** Goes into the next call; null at the end. */
  readonly next: string | null;
}

/** Rows of one page: about 200 KB. */
const PAGE = 1_000;

const ACCOUNTS = {
  name: 'state-accounts',
  text: `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE home = $1 AND id > $2 ORDER BY id LIMIT ${PAGE}`,
};
const EPOCHS = {
  name: 'state-epochs',
  text: `SELECT account, epoch::float8 AS epoch, ${base64UrlText('keep_session')} AS keep
         FROM password WHERE region = $1 AND account > $2 ORDER BY account LIMIT ${PAGE}`,
};

/** What a stream's events led to at their writer, for a peer whose events are gone on both sides. */
export class StatePages {
  constructor(
    private readonly database: Database,
    private readonly own: string,
  ) {}

  async accounts(after: string): Promise<StatePage<Account>> {
    const items = await this.database.query<Account>(ACCOUNTS, [this.own, after]);
    return { items, next: items.length < PAGE ? null : items.at(-1)!.id };
  }

  async epochs(after: string): Promise<StatePage<Epoch>> {
    const rows = await this.database.query<{ account: string; epoch: number; keep: string | null }>(EPOCHS, [this.own, after]);
    const items = rows.map(({ account, epoch, keep }) => (keep === null ? { account, epoch } : { account, epoch, keep }));
    return { items, next: rows.length < PAGE ? null : rows.at(-1)!.account };
  }
}
