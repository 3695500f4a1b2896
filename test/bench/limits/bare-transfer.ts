import pg from 'pg';

const POSTED = `INSERT INTO bench_posting (entry, leg, account, amount) VALUES ($1, 'debit', $2, -$4::bigint), ($1, 'credit', $3, $4)`;
const MOVED = 'UPDATE bench_balance SET amount = amount + CASE WHEN account = $1 THEN -$3::bigint ELSE $3 END WHERE account = ANY (ARRAY[$1, $2]::uuid[])';
const LOCKED = 'SELECT account, amount FROM bench_balance WHERE account = ANY ($1::uuid[]) ORDER BY account FOR UPDATE';

/** Two postings and two balances in one transaction through `pg`, and nothing else: what any ledger has to do. */
export class BareTransfer {
  private constructor(private readonly pool: pg.Pool) {}

  static async start(url: string, accounts: readonly string[], clients: number): Promise<BareTransfer> {
    const pool = new pg.Pool({ connectionString: url, max: clients });
    pool.on('error', () => undefined);
    await pool.query('CREATE TABLE bench_posting (entry uuid, leg text, account uuid NOT NULL, amount bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (entry, leg))');
    await pool.query('CREATE TABLE bench_balance (account uuid PRIMARY KEY, amount bigint NOT NULL CHECK (amount >= 0))');
    await pool.query('INSERT INTO bench_balance SELECT unnest($1::uuid[]), 1000000000', [accounts]);
    return new BareTransfer(pool);
  }

  /** Moves an amount between two accounts, locked in their order as any ledger must. */
  async move(entry: string, payer: string, payee: string, amount: number): Promise<void> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query({ name: 'bench-locked', text: LOCKED, values: [[payer, payee]] });
      await client.query({ name: 'bench-posted', text: POSTED, values: [entry, payer, payee, amount] });
      await client.query({ name: 'bench-moved', text: MOVED, values: [payer, payee, amount] });
      await client.query('COMMIT');
    } finally {
      client.release();
    }
  }

  async stop(): Promise<void> {
    await this.pool.query('DROP TABLE bench_posting, bench_balance');
    await this.pool.end();
  }
}
