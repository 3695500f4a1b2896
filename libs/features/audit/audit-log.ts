import type { Database, Transaction } from '#adapters/postgres';
import { limits } from '#kernel/config';
import { newId } from '#kernel/ids';
import type { Finding, OwnerResult, TableResult } from './compare-owner.js';
import type { InvariantResult } from './invariants.js';
import type { Kind } from './judge.js';
import type { Key } from './read-rows.js';

/** Who asked: a person, the clock, or a repair that wants to see what it did. */
export type AskedBy = 'operator' | 'schedule' | 'repair';

/** What an audit came to. */
export interface AuditResult {
  /** Every owner was compared, in every table, and nothing is undecided. */
  readonly complete: boolean;
  /** A person should look: something differs, or an invariant is broken. */
  readonly alarm: boolean;
  readonly rows: number;
  readonly missing: number;
  readonly different: number;
  readonly surplus: number;
  readonly undecided: number;
  readonly owners: Readonly<Record<string, { readonly unavailable?: string; readonly tables: Readonly<Record<string, TableResult>> }>>;
  readonly invariants: readonly InvariantResult[];
  readonly tookMs: number;
}

export interface KeptFinding extends Finding {
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  /** Repaired, or not seen again by an audit that compared its table to the end. */
  readonly goneAt: Date | null;
}

/** One audit as operators see it. */
export interface AuditView {
  readonly id: string;
  readonly askedBy: AskedBy;
  /** `interrupted`: its process ended meanwhile; `failed`: the own database did not answer. */
  readonly state: 'running' | 'done' | 'interrupted' | 'failed';
  readonly begunAt: Date;
  readonly endedAt: Date | null;
  readonly result: AuditResult | null;
  readonly findings: { readonly count: number; readonly items: readonly KeptFinding[] };
}

/** An audit that has not said for so long that it is alive has ended with its process. */
const ALIVE_SECONDS = 60;
/** How long what is over stays to be read. */
const KEPT_DAYS = 30;
/** Findings that a report tells; the others are counted. */
const TOLD_FINDINGS = 500;
/** Rows of one statement. */
const STORED_AT_ONCE = 1_000;

const INTERRUPT = `UPDATE audit SET state = 'interrupted', ended_at = clock_timestamp() WHERE state = 'running' AND alive_at < clock_timestamp() - make_interval(secs => $1)`;
const BEGIN = `INSERT INTO audit (id, asked_by, state) VALUES ($1, $2, 'running') ON CONFLICT DO NOTHING RETURNING id`;
/** Somebody waits for it now, which its process learns when it next says that it is alive. */
const JOIN = `UPDATE audit SET asked_by = CASE WHEN asked_by = 'schedule' THEN $1 ELSE asked_by END WHERE state = 'running' RETURNING id`;
const ALIVE = `UPDATE audit SET alive_at = clock_timestamp() WHERE id = $1 RETURNING asked_by AS "askedBy"`;
const RECENT = `SELECT count(*)::int AS all, (count(*) FILTER (WHERE begun_at > clock_timestamp() - make_interval(secs => $1 * 60)))::int AS recent FROM audit`;
const END = `UPDATE audit SET state = $2, ended_at = clock_timestamp(), result = $3 WHERE id = $1 AND state = 'running'`;
const SEE = `
  INSERT INTO audit_finding AS known (owner, table_name, key, kind, first_seen_at, last_seen_at)
  SELECT owner, table_name, key::jsonb, kind, clock_timestamp(), clock_timestamp()
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS seen (owner, table_name, key, kind)
  ON CONFLICT (owner, table_name, key) DO UPDATE SET kind = excluded.kind, last_seen_at = excluded.last_seen_at, gone_at = NULL,
    first_seen_at = CASE WHEN known.gone_at IS NULL THEN known.first_seen_at ELSE excluded.first_seen_at END`;
const LOSE = `UPDATE audit_finding SET gone_at = clock_timestamp() WHERE gone_at IS NULL AND owner = $2 AND table_name = ANY ($3) AND last_seen_at < (SELECT begun_at FROM audit WHERE id = $1)`;
const SEEN_BY = `FROM audit_finding f JOIN audit a ON f.first_seen_at <= coalesce(a.ended_at, clock_timestamp()) AND f.last_seen_at >= a.begun_at WHERE a.id = $1`;
const FINDING = `f.owner, f.table_name AS "table", f.key, f.kind, f.first_seen_at AS "firstSeenAt", f.last_seen_at AS "lastSeenAt", f.gone_at AS "goneAt"`;
const VIEW = `SELECT id, asked_by AS "askedBy", state, begun_at AS "begunAt", ended_at AS "endedAt", result FROM audit WHERE id = $1`;
const FORGET = [
  `DELETE FROM audit_finding WHERE gone_at < clock_timestamp() - make_interval(days => $1)`,
  `DELETE FROM audit WHERE state <> 'running' AND begun_at < clock_timestamp() - make_interval(days => $1)`,
];

/** The region's audits and what they found, as kept in its own database. */
export class AuditLog {
  constructor(private readonly database: Database) {}

  /** Begins one, unless one runs already in this region. */
  async begin(askedBy: AskedBy): Promise<{ id: string; begun: boolean }> {
    await this.database.write(INTERRUPT, [ALIVE_SECONDS]);
    const [begun] = await this.database.write<{ id: string }>(BEGIN, [newId(), askedBy]);
    if (begun !== undefined) return { id: begun.id, begun: true };
    const [running] = await this.database.write<{ id: string }>(JOIN, [askedBy]);
    return running === undefined ? this.begin(askedBy) : { id: running.id, begun: false };
  }

  /** @returns who asks for it by now */
  async alive(id: string): Promise<AskedBy> {
    return (await this.database.write<{ askedBy: AskedBy }>(ALIVE, [id]))[0]?.askedBy ?? 'schedule';
  }

  /** Whether the last audit of the region, by any of its processes, is longer ago; undefined where there was none. */
  async isDue(minutes: number): Promise<boolean | undefined> {
    const [row] = await this.database.query<{ all: number; recent: number }>(RECENT, [minutes]);
    return row!.all === 0 ? undefined : row!.recent === 0;
  }

  /** Stores the result, what was found, and what was found before and no longer is; all or nothing. */
  async end(id: string, result: AuditResult, owners: readonly OwnerResult[]): Promise<void> {
    await this.database.transact(async (tx) => {
      for (const owner of owners) await this.note(tx, id, owner);
      await tx.query(END, [id, 'done', JSON.stringify(result)]);
      for (const statement of FORGET) await tx.query(statement, [KEPT_DAYS]);
    }, limits.databaseBatchMs);
  }

  async giveUp(id: string, state: 'interrupted' | 'failed'): Promise<void> {
    await this.database.write(END, [id, state, null]);
  }

  async view(id: string): Promise<AuditView | undefined> {
    const [audit] = await this.database.query<Omit<AuditView, 'findings'>>(VIEW, [id]);
    if (audit === undefined) return undefined;
    const [count] = await this.database.query<{ count: number }>(`SELECT count(*)::int AS count ${SEEN_BY}`, [id]);
    const items = await this.database.query<KeptFinding>(`SELECT ${FINDING} ${SEEN_BY} ORDER BY f.owner, f.table_name, f.key LIMIT ${TOLD_FINDINGS}`, [id]);
    return { ...audit, findings: { count: count!.count, items } };
  }

  /** What an audit found and is still there, in the order of keys. */
  async open(id: string, most: number): Promise<{ count: number; findings: Finding[] }> {
    const [count] = await this.database.query<{ count: number }>(`SELECT count(*)::int AS count ${SEEN_BY} AND f.gone_at IS NULL`, [id]);
    const findings = await this.database.query<Finding>(`SELECT ${FINDING} ${SEEN_BY} AND f.gone_at IS NULL ORDER BY f.owner, f.table_name, f.key LIMIT $2`, [id, most]);
    return { count: count!.count, findings: findings.map(({ owner, table, key, kind }) => ({ owner, table, key, kind })) };
  }

  private async note(tx: Transaction, id: string, { owner, findings, tables, unavailable }: OwnerResult): Promise<void> {
    for (let at = 0; at < findings.length; at += STORED_AT_ONCE) {
      const part = findings.slice(at, at + STORED_AT_ONCE);
      await tx.query(SEE, [part.map((finding) => finding.owner), part.map(({ table }) => table), part.map(({ key }) => JSON.stringify(key)), part.map(({ kind }) => kind)]);
    }
    if (unavailable !== undefined) return;
    const compared = Object.entries(tables).filter(([, table]) => table.skipped === undefined && table.truncated === undefined && table.undecided === 0);
    await tx.query(LOSE, [id, owner, compared.map(([name]) => name)]);
  }
}

/** A repaired row is no finding any more. */
export async function markRepaired(tx: Transaction, owner: string, table: string, keys: readonly Key[]): Promise<void> {
  await tx.query(`UPDATE audit_finding SET gone_at = clock_timestamp() WHERE owner = $1 AND table_name = $2 AND key = ANY (SELECT jsonb_array_elements($3::jsonb))`, [owner, table, JSON.stringify(keys)]);
}

/** What one region's status tells of its audits; the last that ended well decides. */
export interface AuditSummary {
  readonly id: string;
  readonly endedAt: Date;
  readonly ageMs: number;
  readonly complete: boolean;
  readonly alarm: boolean;
  readonly undecided: number;
  /** What it found, less what was repaired since. */
  readonly findings: Readonly<Record<Kind, number>>;
  readonly broken: readonly string[];
}

const SUMMARY = {
  name: 'audit-summary',
  text: `SELECT id, ended_at AS "endedAt", (extract(epoch FROM clock_timestamp() - ended_at) * 1000)::float8 AS "ageMs", (result ->> 'complete')::boolean AS complete,
    (result ->> 'undecided')::int AS undecided,
    (SELECT coalesce(jsonb_object_agg(kind, count), '{}') FROM (SELECT kind, count(*)::int AS count FROM audit_finding WHERE gone_at IS NULL GROUP BY kind) f) AS findings,
    jsonb_path_query_array(result, '$.invariants[*] ? (@.state == "broken").name') AS broken
    FROM audit WHERE state = 'done' ORDER BY begun_at DESC LIMIT 1`,
};

/** Undefined before the first audit. */
export async function summarize(database: Database): Promise<AuditSummary | undefined> {
  const [row] = await database.query<Omit<AuditSummary, 'alarm' | 'findings'> & { findings: Partial<AuditSummary['findings']> }>(SUMMARY);
  if (row === undefined) return undefined;
  const findings = { missing: 0, different: 0, surplus: 0, ...row.findings };
  return { ...row, findings, alarm: findings.missing + findings.different + findings.surplus + row.broken.length > 0 };
}
