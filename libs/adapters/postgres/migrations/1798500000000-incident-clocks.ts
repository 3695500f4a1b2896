import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When an incident opened, was reachable and closed by the peer's clock, so that its two sides are one however far the clocks are apart. */
export class IncidentClocks1798500000000 implements MigrationInterface {
  readonly name = 'IncidentClocks1798500000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE incident ADD COLUMN peer_opened_at timestamptz, ADD COLUMN peer_reachable_at timestamptz, ADD COLUMN peer_closed_at timestamptz');
  }

  /** Migrations only add (design, "Replication between versions"): going back means restoring, never dropping. */
  async down(): Promise<void> {
    throw new Error('migrations only add; restore a backup to go back');
  }
}
