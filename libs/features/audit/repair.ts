import type { Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';
import { newId } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';
import { type RepairRow, applyBatch } from './apply-repair.js';
import type { AuditLog } from './audit-log.js';
import type { Auditor } from './auditor.js';
import { type ComparedTable, type Finding, agreeOnTables } from './compare-owner.js';
import { batches } from './confirm.js';
import { untilMarkApplied } from './marker.js';
import { Owner, OwnerUnavailableError } from './owner.js';
import type { RowCopied } from './read-rows.js';
import { COMPARED_TABLES, waysOf } from './sources.js';

/** Rows of one call; what remains is told, and the call is repeated. */
const MOST_ROWS = 1_000;
/** Rows of one transaction and one question: with their contents below what a peer answers at most (a profile has up to 64 KiB). */
const BATCH = 50;

/** The wait for a mark has a bound of its own. */
const NEVER = new AbortController().signal;

/** A row and what became of it, or would. */
export interface RepairStep {
  readonly owner: string;
  readonly table: string;
  readonly key: readonly string[];
  readonly kind: Finding['kind'];
  /** `due` in a plan. `behind`: its channel has not brought here what the owner had written. */
  readonly outcome: 'due' | 'repaired' | 'equal' | 'changed' | 'contradicts' | 'behind' | 'owner-unavailable';
}

export interface RepairAnswer {
  /** Absent in a plan. */
  readonly id?: string;
  readonly applied: boolean;
  readonly steps: readonly RepairStep[];
  /** Findings of the audit that are left for further calls. */
  readonly remaining: number;
  /** The audit that looks at what was done. */
  readonly audit?: string;
}

interface Work extends Finding {
  readonly compared: ComparedTable;
}

/** Makes the rows that an audit found as their owners have them; the owner of a row is always right. */
export class Repair {
  constructor(
    private readonly parts: {
      readonly region: string; readonly database: Database; readonly peers: Peers; readonly log: AuditLog; readonly auditor: Auditor;
      readonly homeOf: (identifier: string) => string; readonly logger: Logger;
    },
  ) {}

  /**
   * Plans, or with `apply` carries out, what is still open of an audit's findings. May be repeated: what is equal stays as it is.
   * @returns undefined where there is no such audit
   */
  async repair(audit: string, apply: boolean): Promise<RepairAnswer | undefined> {
    const { log } = this.parts;
    if ((await log.view(audit)) === undefined) return undefined;
    const { count, findings } = await log.open(audit, MOST_ROWS);
    if (!apply) return { applied: false, steps: findings.map((finding) => ({ ...finding, outcome: 'due' })), remaining: count - findings.length };
    return this.carryOut(audit, findings);
  }

  private async carryOut(audit: string, findings: readonly Finding[]): Promise<RepairAnswer> {
    const { database, log, auditor, logger } = this.parts;
    const id = newId();
    await database.write('INSERT INTO repair (id, audit) VALUES ($1, $2)', [id, audit]);
    const steps: RepairStep[] = [];
    for (const owner of new Set(findings.map((finding) => finding.owner))) {
      const theirs = findings.filter((finding) => finding.owner === owner);
      steps.push(...(await this.repairOwner(id, owner, theirs)));
    }
    const remaining = (await log.open(audit, 1)).count;
    const outcomes = Object.fromEntries([...new Set(steps.map(({ outcome }) => outcome))].map((outcome) => [outcome, steps.filter((step) => step.outcome === outcome).length]));
    await database.write('UPDATE repair SET ended_at = clock_timestamp(), result = $2 WHERE id = $1', [id, JSON.stringify(outcomes)]);
    logger.warn({ repair: id, audit, ...outcomes, remaining }, 'copies were repaired from their owners');
    return { id, applied: true, steps, remaining, audit: (await auditor.ask('repair')).id };
  }

  private async repairOwner(repair: string, name: string, findings: readonly Finding[]): Promise<RepairStep[]> {
    const { region, database, peers, homeOf } = this.parts;
    const peer = peers.find(name);
    const steps: RepairStep[] = [];
    try {
      if (peer === undefined) throw new OwnerUnavailableError(name, 'it is no peer');
      const owner = new Owner(peer);
      const { agreed } = await agreeOnTables(database, owner);
      const work = inOrder(findings.flatMap((finding) => agreed.filter(({ table }) => table === finding.table).map((compared) => ({ ...finding, compared }))));
      const read: { compared: ComparedTable; rows: RepairRow[] }[] = [];
      for (const batch of batches(work, BATCH)) read.push({ compared: batch[0]!.compared, rows: await readWanted(owner, batch) });
      const applied = await untilMarkApplied(database, region, owner, NEVER);
      for (const { compared, rows } of read) {
        if (!waysOf(compared.table).every((way) => applied.has(way))) steps.push(...rows.map((row) => stepOf(name, row, 'behind')));
        else steps.push(...(await this.batch(owner, { repair, homeOf }, compared, rows)));
      }
    } catch (error) {
      if (!(error instanceof OwnerUnavailableError)) throw error;
    }
    const told = new Set(steps.map(({ table, key }) => JSON.stringify([table, key])));
    const untold = findings.filter(({ table, key }) => !told.has(JSON.stringify([table, key])));
    return [...steps, ...untold.map((finding) => ({ ...finding, outcome: 'owner-unavailable' as const }))];
  }

  private async batch(owner: Owner, about: { repair: string; homeOf: (identifier: string) => string }, compared: ComparedTable, rows: readonly RepairRow[]): Promise<RepairStep[]> {
    const { repaired, equal, refused } = await applyBatch({ database: this.parts.database, owner, ...about }, compared, rows);
    const rowOf = (key: readonly string[]): RepairRow => rows.find((row) => JSON.stringify(row.key) === JSON.stringify(key))!;
    return [
      ...repaired.map((key) => stepOf(owner.name, rowOf(key), 'repaired')),
      ...equal.map((key) => stepOf(owner.name, rowOf(key), 'equal')),
      ...refused.map(({ key, why }) => stepOf(owner.name, rowOf(key), why)),
    ];
  }
}

/** What is surplus goes first, since it may hold the identifier of an account that is missing. */
function inOrder(work: readonly Work[]): Work[] {
  const rank = ({ table, kind }: Work): number => COMPARED_TABLES.indexOf(table) * 2 + (kind === 'surplus' ? 0 : 1);
  return work.toSorted((a, b) => rank(a) - rank(b));
}

async function readWanted(owner: Owner, batch: readonly Work[]): Promise<RepairRow[]> {
  const { table, columns } = batch[0]!.compared;
  const there = new Map<string, RowCopied>();
  for (const row of await owner.copies({ table, columns: columns.map(({ name }) => name) }, batch.map(({ key }) => key))) there.set(JSON.stringify(row.key), row);
  return batch.map(({ key, kind }) => ({ table, key, kind, wanted: there.get(JSON.stringify(key)) }));
}

const stepOf = (owner: string, { table, key, kind }: RepairRow, outcome: RepairStep['outcome']): RepairStep => ({ owner, table, key, kind, outcome });
