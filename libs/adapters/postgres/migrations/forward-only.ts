import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Statements in their order. Migrations only add to what replicates (design, "Replication between versions"): going back means restoring, never dropping. */
export abstract class ForwardOnly implements MigrationInterface {
  abstract readonly name: string;
  protected abstract readonly statements: readonly string[];

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of this.statements) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('migrations only add; restore a backup to go back');
  }
}
