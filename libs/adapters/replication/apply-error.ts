import { identifier, literal, slotOf, subscriptionFrom } from './names.js';
import type { OwnDatabase } from './own-database.js';
import { timings } from './timings.js';

/** Why an apply worker stops, in the server's words, and what ends it. Never the contents of a row: it may hold a hash. */
export interface ApplyError {
  /** `row-exists`, `schema-differs`, `connection` or `apply-error`. */
  readonly cause: string;
  readonly detail: string;
  /** Commands for psql as the owner of the database; absent where there is nothing safe to say. */
  readonly mend?: string;
  /** The server's clock, as written in its log. */
  readonly at: string;
}

interface LogLine {
  readonly timestamp?: string;
  readonly pid?: number;
  readonly error_severity?: string;
  readonly message?: string;
  readonly detail?: string;
  readonly context?: string;
  readonly backend_type?: string;
}

const tailSql = `
  SELECT pg_read_binary_file(f.name, greatest(s.size - $1, 0), $1) AS tail, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "nowMs"
  FROM (SELECT pg_current_logfile('jsonlog') AS name) f, LATERAL pg_stat_file(f.name) s WHERE f.name IS NOT NULL`;

/**
 * The newest error of one subscription's apply worker, from the end of the server's own log: the counters say that it
 * stopped, only the log says at which row. Undefined where there is no json log or it may not be read.
 */
export async function readApplyError(database: OwnDatabase, about: { peer: string; reader: string; subscriptionOid: string; pids: readonly number[] }): Promise<ApplyError | undefined> {
  const rows = await database.query<{ tail: Buffer; nowMs: number }>(tailSql, [timings.logTailBytes]);
  const lines = rows[0]?.tail.toString('utf8').split('\n') ?? [];
  const oldestMs = (rows[0]?.nowMs ?? 0) - timings.errorFreshMs - timings.watchEveryMs;
  const marks = [`"pg_${about.subscriptionOid}"`, `"${subscriptionFrom(about.peer)}"`, `"${slotOf(about.peer, about.reader)}"`];
  for (const line of lines.toReversed()) {
    const entry = parse(line);
    if (entry?.error_severity !== 'ERROR' || !/logical replication.* worker/.test(entry.backend_type ?? '')) continue;
    // A log's zone that JavaScript doesn't know gives NaN, and the entry counts as new.
    if (Date.parse(entry.timestamp ?? '') < oldestMs) return undefined;
    const text = `${entry.message} ${entry.context ?? ''}`;
    if (marks.some((mark) => text.includes(mark)) || about.pids.includes(entry.pid ?? 0)) return explain(entry, about.peer);
  }
  return undefined;
}

/** The first line of a tail is most often half a line: not an error. */
function parse(line: string): LogLine | undefined {
  try {
    return line.includes('logical replication') ? (JSON.parse(line) as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

/** Turns one log entry into a cause, what a person needs to know, and the command that mends it. Pure. */
export function explain(entry: LogLine, peer: string): ApplyError {
  const message = entry.message ?? '';
  const where = [message, onlyKey(entry.detail), entry.context].filter(Boolean).join('; ');
  const at = entry.timestamp ?? '';
  const conflict = /conflict detected on relation "([^"]+)"(?:\.|: )?"?.*conflict=(\w+)/.exec(message);
  if (conflict !== null) {
    const [, relation, kind] = conflict;
    return { cause: kind === 'insert_exists' ? 'row-exists' : `conflict-${kind}`, detail: where, mend: deleteRow(relation!, entry.detail, peer), at };
  }
  if (/is missing replicated column|target relation .* does not exist|missing replicated columns/.test(message)) {
    return { cause: 'schema-differs', detail: `schema-differs: ${where}`, mend: 'bring both regions to the same version; replication then goes on by itself', at };
  }
  if (/could not connect|WAL stream|replication slot|could not receive data|timeout/.test(message)) return { cause: 'connection', detail: where, at };
  return { cause: 'apply-error', detail: where, at };
}

/** `Key (a, b)=(x, y); existing local row (…); remote row (…).` without the rows. */
const onlyKey = (detail: string | undefined): string => /Key \([^)]*\)=\(.*?\)(?=; existing local row|; remote row|\.?$)/s.exec(detail ?? '')?.[0] ?? '';

/** The row that was put here by hand stands where the owner's row must come: it alone is deleted, as a replica. */
function deleteRow(relation: string, detail: string | undefined, peer: string): string | undefined {
  const key = /^Key \(([^)]*)\)=\((.*)\)$/s.exec(onlyKey(detail));
  if (key === null) return undefined;
  const columns = key[1]!.split(', ');
  const values = key[2]!.split(', ');
  if (columns.length !== values.length || !columns.includes('region') || values[columns.indexOf('region')] !== peer) return undefined;
  const table = relation.split('.').map(identifier).join('.');
  const where = columns.map((column, index) => `${identifier(column)} = ${literal(values[index]!)}`).join(' AND ');
  return `BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM ${table} WHERE ${where}; COMMIT;`;
}
