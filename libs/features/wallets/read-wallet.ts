import type { Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import { limits } from '#kernel/config';
import type { ConsistencyVersions } from '#kernel/ids';
import { NotFoundError } from '#kernel/problems';
import { type RowsRead, worstOf } from '../consistency/index.js';

/** A wallet as its home, or a copy, knows it. */
export interface WalletState {
  readonly balance: number;
  /** Of the balance's row, for consistency tokens. */
  readonly version: number;
  /** ISO 8601: the balance is right as of then. */
  readonly asOf: string;
}

/** A wallet as a client is told it. */
export interface WalletView {
  readonly balance: number;
  readonly currency: string;
  readonly asOf: string;
  readonly home: string;
  readonly authoritative: boolean;
  /** The sum of transfers that are ordered and, as far as is known here, not decided. */
  readonly pendingOut: number;
}

interface Row {
  readonly amount: number;
  readonly version: number;
}

/** What an account has ordered and is not decided, and how that was read. */
export type PendingOut = (account: string, token: ConsistencyVersions | undefined) => Promise<{ readonly amount: number; readonly read: RowsRead }>;

const READ = {
  name: 'read-wallet',
  text: `SELECT b.amount::float8 AS amount, b.version::float8 AS version FROM balance b WHERE b.region = $2 AND b.account = $1`,
};

/** Reads wallets: at home from its own row, elsewhere by asking home, and from the replicated row where home can't be asked. */
export class ReadWallet {
  /** @param heardAt when, by its own clock, a peer wrote the newest heartbeat that replication has brought: its rows up to then are here */
  constructor(
    private readonly own: { region: string; currency: string },
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly peers: Peers,
    private readonly heardAt: (peer: string) => number | undefined,
    private readonly pendingOut: PendingOut,
  ) {}

  async read(account: string, home: string, token: ConsistencyVersions | undefined): Promise<{ view: WalletView; read: RowsRead }> {
    const [known, answer, pending] = await Promise.all([this.known(account, home), home === this.own.region ? undefined : this.askHome(account, home), this.pendingOut(account, token)]);
    const { currency } = this.own;
    const pendingOut = pending.amount;
    if (home === this.own.region) return { view: { balance: known.amount, currency, asOf: this.now(), home, authoritative: true, pendingOut }, read: pending.read };
    if (answer !== undefined) return { view: { balance: answer.balance, currency, asOf: answer.asOf, home, authoritative: true, pendingOut }, read: worstOf(['second', pending.read]) };
    const wanted = token?.account === account ? (token.versions.wallet?.[home] ?? 0) : 0;
    const view = { balance: known.amount, currency, asOf: new Date(this.heardAt(home) ?? 0).toISOString(), home, authoritative: false, pendingOut };
    return { view, read: known.version < wanted ? 'stale' : pending.read };
  }

  /**
   * The home's word, for a peer.
   * @throws NotFoundError where this region is not the account's home
   */
  async state(account: string): Promise<WalletState> {
    const [row] = await this.database.query<{ home: string }>({ name: 'home-of-account', text: 'SELECT home FROM account WHERE id = $1' }, [account]);
    if (row?.home !== this.own.region) throw new NotFoundError('This region is not the home of that account');
    const { amount, version } = await this.known(account, this.own.region);
    return { balance: amount, version, asOf: this.now() };
  }

  /** Nothing was ever booked where there is no row. */
  private async known(account: string, home: string): Promise<Row> {
    const [row] = await this.database.query<Row>(READ, [account, home]);
    return row ?? { amount: 0, version: 0 };
  }

  private async askHome(account: string, home: string): Promise<WalletState | undefined> {
    const outcome = await this.peers.find(home)?.call<WalletState>('read', '/peer/v1/wallet', { account }, limits.readBudgetMs);
    return outcome?.kind === 'answered' && outcome.status === 200 ? outcome.body : undefined;
  }

  private now(): string {
    return new Date(this.clock.wallMs()).toISOString();
  }
}
