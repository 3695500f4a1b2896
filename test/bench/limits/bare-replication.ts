import type pg from 'pg';

/**
 * A table that is replicated by PostgreSQL alone, beside the product's: a publication, a slot and a subscription over the
 * same link, and a trigger that says when a row has arrived.
 */
export class BareReplication {
  constructor(
    private readonly from: pg.Pool,
    private readonly to: pg.Client,
    /** The reading region's name. */
    private readonly reader: string,
  ) {}

  async start(): Promise<void> {
    const table = 'CREATE TABLE bench_bare (region text NOT NULL, id uuid NOT NULL, body jsonb NOT NULL, PRIMARY KEY (region, id))';
    await this.from.query(table);
    await this.to.query(table);
    await this.from.query(`GRANT SELECT ON bench_bare TO "peer_${this.reader}"`);
    await this.to.query(`CREATE FUNCTION bench_bare_arrived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('bench_bare', NEW.id::text); RETURN NULL; END $$`);
    await this.to.query('CREATE TRIGGER arrived AFTER INSERT ON bench_bare FOR EACH ROW EXECUTE FUNCTION bench_bare_arrived()');
    await this.to.query('ALTER TABLE bench_bare ENABLE REPLICA TRIGGER arrived');
    await this.from.query('CREATE PUBLICATION bench_bare FOR TABLE bench_bare');
    await this.from.query(`SELECT pg_create_logical_replication_slot('bench_bare', 'pgoutput')`);
    // The product's own subscription tells the way across the link.
    const { rows } = await this.to.query<{ conninfo: string }>(`SELECT subconninfo AS conninfo FROM pg_subscription WHERE subname LIKE 'homeward_from_%' LIMIT 1`);
    const conninfo = rows[0]!.conninfo.replaceAll("'", "''");
    await this.to.query(`CREATE SUBSCRIPTION bench_bare CONNECTION '${conninfo}' PUBLICATION bench_bare WITH (create_slot = false, slot_name = 'bench_bare', copy_data = false, origin = none)`);
  }

  /** Inserts one row. @returns its commit's time, ms since the epoch */
  async insert(id: string, body: string): Promise<number> {
    await this.from.query(`INSERT INTO bench_bare VALUES ('bench', $1, $2)`, [id, body]);
    const { rows } = await this.from.query<{ ms: number }>('SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 AS ms FROM bench_bare WHERE id = $1', [id]);
    return rows[0]!.ms;
  }

  async stop(): Promise<void> {
    await this.to.query('ALTER SUBSCRIPTION bench_bare DISABLE');
    await this.to.query('ALTER SUBSCRIPTION bench_bare SET (slot_name = NONE)');
    await this.to.query('DROP SUBSCRIPTION bench_bare');
    await this.to.query('DROP TABLE bench_bare; DROP FUNCTION bench_bare_arrived()');
    await this.dropSlot();
    await this.from.query('DROP PUBLICATION bench_bare');
    await this.from.query('DROP TABLE bench_bare');
  }

  /** Its walsender leaves a moment after its reader. */
  private async dropSlot(): Promise<void> {
    for (;;) {
      const { rows } = await this.from.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'bench_bare' AND NOT active`);
      if (rows.length > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
